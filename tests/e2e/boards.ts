// What a board's JSON must be, by the types of @grafana/schema; boards.sh appends the boards as values of the type Board.
import type { AnnotationQuery, Dashboard, Panel, RowPanel } from "@grafana/schema";
import type { Options as StatOptions } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type {
  FieldConfig as TimelineFields,
  Options as TimelineOptions,
} from "@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen";
import type { FieldConfig as TableFields, Options as TableOptions } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type {
  FieldConfig as GraphFields,
  Options as GraphOptions,
} from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// JSON has the values of string enumerations as plain text.
type Plain<T> = T extends string ? `${T}` : T extends (infer One)[] ? Plain<One>[] : T extends object ? { [K in keyof T]: Plain<T[K]> } : T;
// Parts of options that Grafana fills in are left out of files.
type Kind<Name, Options, Fields> = Plain<
  Omit<Panel, "type" | "options" | "fieldConfig"> & {
    type: Name;
    title: string;
    description: string;
    options: Partial<Options>;
    fieldConfig: Omit<NonNullable<Panel["fieldConfig"]>, "defaults"> & {
      defaults: Omit<NonNullable<Panel["fieldConfig"]>["defaults"], "custom"> & { unit: string; custom: Partial<Fields> };
    };
  }
>;
type Known =
  | Kind<"stat", StatOptions, Record<string, never>>
  | Kind<"timeseries", GraphOptions, GraphFields>
  | Kind<"state-timeline", TimelineOptions, TimelineFields>
  | Kind<"table", TableOptions, TableFields>;
// What Prometheus's data source adds.
type Annotation = AnnotationQuery & { expr: string; step: string; titleFormat: string; textFormat: string; tagKeys: string; useValueForTime: boolean };
type Board = Plain<Omit<Dashboard, "panels" | "annotations"> & { annotations: { list: Annotation[] } }> & { panels: (Known | (Plain<Omit<RowPanel, "panels">> & { panels: Known[] }))[] };
