// Imported before any schema: the page's content security policy forbids the code that zod would otherwise generate.
import { z } from 'zod';

z.config({ jitless: true });
