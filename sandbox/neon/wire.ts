import type * as neon from "@neondatabase/api-client";

/** A type of Neon's client in the form of JSON, in which its enums are plain strings. */
type Wire<T> = T extends string
  ? `${T}`
  : T extends readonly (infer Item)[]
    ? Wire<Item>[]
    : T extends object
      ? { [Key in keyof T]: Wire<T[Key]> }
      : T;

export type Project = Wire<neon.Project>;
export type ProjectListItem = Wire<neon.ProjectListItem>;
export type ProjectSettings = Wire<neon.ProjectSettingsData>;
export type Branch = Wire<neon.Branch>;
export type Endpoint = Wire<neon.Endpoint>;
export type Role = Wire<neon.Role>;
export type Database = Wire<neon.Database>;
export type Operation = Wire<neon.Operation>;
export type OperationAction = Operation["action"];
export type OperationStatus = Operation["status"];
export type ConnectionDetails = Wire<neon.ConnectionDetails>;
export type CurrentUser = Wire<neon.CurrentUserInfoResponse>;
export type Organization = Wire<neon.Organization>;
