import '@pothos/plugin-directives';
import SchemaBuilder, {
  BasePlugin,
  type FieldNullability,
  type InputFieldMap,
  type PothosOutputFieldConfig,
  type PothosTypeConfig,
  type SchemaTypes,
  type TypeParam,
} from '@pothos/core';
import type { Context } from './context.ts';

/** Loads the object of a reference. A gateway sends JSON of any shape. */
type ResolveReference = (reference: { id: unknown }, context: Context) => Promise<object | null>;

/**
 * The directives of federation that this schema has, as options of types and fields. A plugin of ours:
 * `@pothos/plugin-federation` imports Apollo's composition library and prints the schema with it at startup, which took a
 * tenth of the startup time.
 */
declare global {
  export namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      entities: FederationPlugin<Types>;
    }
    interface ObjectTypeOptions<Types extends SchemaTypes, Shape> {
      shareable?: boolean;
      tag?: string;
    }
    interface FieldOptions<
      Types extends SchemaTypes,
      ParentShape,
      Type extends TypeParam<Types>,
      Nullable extends FieldNullability<Type>,
      Args extends InputFieldMap,
      ResolveShape,
      ResolveReturnShape,
    > {
      tag?: string;
    }
  }
}

type Directive = { name: string; args?: Record<string, unknown> };
type Extensions = Readonly<Record<string, unknown>>;

const entities = new Map<string, ResolveReference>();

/** Makes a type with an `id` an entity, which other subgraphs can refer to. Before the schema is built. */
export function setEntity(typename: string, resolveReference: ResolveReference): void {
  entities.set(typename, resolveReference);
}

export const isEntity = ({ name }: { name: string }): boolean => entities.has(name);

class FederationPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onTypeConfig(config: PothosTypeConfig): PothosTypeConfig {
    const { pothosOptions } = config;
    const resolveReference = entities.get(config.name);
    if (resolveReference === undefined) {
      return { ...config, extensions: addDirectives(config.extensions, pothosOptions) };
    }
    const key = { name: 'key', args: { fields: 'id' } };
    const extensions = addDirectives(config.extensions, pothosOptions, [key]);
    return { ...config, extensions: { ...extensions, apollo: { subgraph: { resolveReference } } } };
  }

  override onOutputFieldConfig(config: PothosOutputFieldConfig<Types>) {
    return { ...config, extensions: addDirectives(config.extensions, config.pothosOptions) };
  }
}

function addDirectives(
  extensions: Extensions | null | undefined,
  options: object,
  more: Directive[] = [],
): Extensions {
  const { tag, shareable } = options as { tag?: string; shareable?: boolean };
  const own: Directive[] = [
    ...more,
    ...(shareable === true ? [{ name: 'shareable' }] : []),
    ...(tag === undefined ? [] : [{ name: 'tag', args: { name: tag } }]),
  ];
  const before = (extensions?.directives ?? []) as Directive[];
  return { ...extensions, directives: [...before, ...own] };
}

export const federationPlugin = 'entities';
SchemaBuilder.registerPlugin(federationPlugin, FederationPlugin);
