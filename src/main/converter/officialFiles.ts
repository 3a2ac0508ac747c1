import type { ZooNetwork } from '../../shared/contract/base.ts';

/** MD5 of the files of ImageNet weights, as keras/src/applications/vgg16.py and vgg19.py of Keras 3.15 give them; others have none. */
const checksums: Partial<Record<ZooNetwork, readonly string[]>> = {
  VGG16: ['64373286793e3c8b2b4e3219cbf3544b', '6d6bbae143d832006294945121d1f1fc'],
  VGG19: ['cbe5617147190e668d6c5d5026f83318', '253f8cb515780f3b799900260a226db6'],
};

/** With the top or without it. MD5 only tells which file it is; the lab names weights by SHA-256. */
export function isOfficialFile(network: ZooNetwork, md5: string): boolean {
  return checksums[network]?.includes(md5) ?? false;
}
