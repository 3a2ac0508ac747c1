import { createRouter, createWebHistory, type Router } from 'vue-router';

const retryMs = 1500;

/** Every dataset, run, result and comparison has an address that survives a reload. */
export function createLabRouter(): Router {
  let isRepeated = false;
  const router = createRouter({
    history: createWebHistory(),
    routes: [
      { path: '/', name: 'home', component: () => import('./views/HomeView.vue'), meta: { title: 'Start' } },
      { path: '/datasets', name: 'datasets', component: () => import('./views/DatasetsView.vue'), meta: { title: 'Datasets' } },
      { path: '/datasets/:datasetId', name: 'dataset', component: () => import('./views/DatasetView.vue'), meta: { title: 'Dataset' } },
      { path: '/weights', name: 'weights', component: () => import('./views/WeightsView.vue'), meta: { title: 'Weights' } },
      { path: '/new', name: 'new', component: () => import('./views/NewRunView.vue'), meta: { title: 'New run' } },
      { path: '/runs', name: 'runs', component: () => import('./views/RunsView.vue'), meta: { title: 'Runs' } },
      { path: '/runs/:runId', name: 'run', component: () => import('./views/RunView.vue'), meta: { title: 'Run' } },
      {
        path: '/runs/:runId/results/:phase',
        name: 'results',
        component: () => import('./views/ResultsView.vue'),
        meta: { title: 'Results' },
      },
      { path: '/compare', name: 'compare', component: () => import('./views/CompareView.vue'), meta: { title: 'Compare' } },
      { path: '/reports', name: 'reports', component: () => import('./views/ReportsView.vue'), meta: { title: 'Reports' } },
      { path: '/doctor', name: 'doctor', component: () => import('./views/DoctorView.vue'), meta: { title: 'Doctor' } },
      { path: '/settings', name: 'settings', component: () => import('./views/SettingsView.vue'), meta: { title: 'Settings' } },
      { path: '/:rest(.*)*', name: 'missing', component: () => import('./views/MissingView.vue'), meta: { title: 'Not found' } },
    ],
  });
  // The code of a view is loaded when it is first shown; a server that is just restarting is asked once more.
  router.onError((_error, to) => {
    if (isRepeated) return;
    isRepeated = true;
    setTimeout(() => {
      const rest = (): void => {
        isRepeated = false;
      };
      router.replace(to.fullPath).then(rest, rest);
    }, retryMs);
  });
  return router;
}
