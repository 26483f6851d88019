import type { Migration } from "./history";

/** A schema tool, and how it is used. Its commands run in a folder of its own, with DATABASE_URL. */
export interface Tool {
  /** Also the name of its database. */
  readonly name: string;
  readonly title: string;
  /** The package whose version is shown. */
  readonly package: string;
  readonly language: "node" | "python";
  /** The files of its folder, by path, with these migrations. */
  readonly files: (migrations: readonly Migration[]) => Readonly<Record<string, string>>;
  /** Applies all migrations that are not applied yet. */
  readonly migrate: readonly string[];
  /** Takes the last migration back. Left out: the tool cannot. */
  readonly back?: readonly string[];
  /** Compares the database with a model, or reads the model from it. Left out: the tool cannot. */
  readonly compare?: readonly string[];
}

const stamp = ({ number }: Migration): string => `20260101${String(number).padStart(6, "0")}`;

/** One file for each migration. */
function each(
  migrations: readonly Migration[],
  file: (migration: Migration) => string,
  text: (migration: Migration) => string,
): Record<string, string> {
  return Object.fromEntries(migrations.map((migration) => [file(migration), text(migration)]));
}

const quoted = JSON.stringify;

function drizzleConfig(out: string): string {
  return `module.exports = { dialect: "postgresql", out: "./${out}", schema: "./schema.js", dbCredentials: { url: process.env.DATABASE_URL } };\n`;
}

export const TOOLS: readonly Tool[] = [
  {
    name: "knex",
    title: "Knex",
    package: "knex",
    language: "node",
    files: (migrations) => ({
      "knexfile.js": `module.exports = { client: "pg", connection: process.env.DATABASE_URL };\n`,
      ...each(
        migrations,
        (migration) => `migrations/${stamp(migration)}_${migration.name}.js`,
        ({ up, down }) =>
          `exports.up = (knex) => knex.raw(${quoted(up)});\nexports.down = (knex) => knex.raw(${quoted(down)});\n`,
      ),
    }),
    migrate: ["knex", "migrate:latest"],
    back: ["knex", "migrate:down"],
  },
  {
    name: "kysely",
    title: "Kysely",
    package: "kysely",
    language: "node",
    files: (migrations) => ({
      "migrate.js": `const { Kysely, Migrator, FileMigrationProvider, PostgresDialect } = require("kysely");
const { Pool } = require("pg");
const path = require("node:path");
const fs = require("node:fs/promises");
const db = new Kysely({ dialect: new PostgresDialect({ pool: new Pool({ connectionString: process.env.DATABASE_URL }) }) });
const migrationFolder = path.join(__dirname, "migrations");
const migrator = new Migrator({ db, provider: new FileMigrationProvider({ fs, path, migrationFolder }) });
(async () => {
  const { error } = process.argv[2] === "down" ? await migrator.migrateDown() : await migrator.migrateToLatest();
  await db.destroy();
  if (error) throw error;
})();
`,
      ...each(
        migrations,
        (migration) => `migrations/${stamp(migration)}_${migration.name}.js`,
        ({ up, down }) =>
          `const { sql } = require("kysely");\nexports.up = (db) => sql.raw(${quoted(up)}).execute(db);\nexports.down = (db) => sql.raw(${quoted(down)}).execute(db);\n`,
      ),
    }),
    migrate: ["node", "migrate.js", "up"],
    back: ["node", "migrate.js", "down"],
  },
  {
    name: "node_pg_migrate",
    title: "node-pg-migrate",
    package: "node-pg-migrate",
    language: "node",
    files: (migrations) =>
      each(
        migrations,
        (migration) => `migrations/${stamp(migration)}000_${migration.name}.js`,
        ({ up, down }) =>
          `exports.up = (pgm) => pgm.sql(${quoted(up)});\nexports.down = (pgm) => pgm.sql(${quoted(down)});\n`,
      ),
    migrate: ["node-pg-migrate", "up"],
    back: ["node-pg-migrate", "down"],
  },
  {
    name: "sequelize",
    title: "Sequelize",
    package: "sequelize",
    language: "node",
    files: (migrations) => ({
      ".sequelizerc": `module.exports = { config: require("node:path").resolve("config.js") };\n`,
      "config.js": `module.exports = { development: { use_env_variable: "DATABASE_URL", dialect: "postgres", dialectOptions: { ssl: true } } };\n`,
      ...each(
        migrations,
        (migration) => `migrations/${stamp(migration)}-${migration.name}.js`,
        ({ up, down }) =>
          `exports.up = (queryInterface) => queryInterface.sequelize.query(${quoted(up)});\nexports.down = (queryInterface) => queryInterface.sequelize.query(${quoted(down)});\n`,
      ),
    }),
    migrate: ["sequelize-cli", "db:migrate"],
    back: ["sequelize-cli", "db:migrate:undo"],
  },
  {
    name: "typeorm",
    title: "TypeORM",
    package: "typeorm",
    language: "node",
    files: (migrations) => ({
      "data-source.js": `require("reflect-metadata");
const { DataSource } = require("typeorm");
module.exports = new DataSource({ type: "postgres", url: process.env.DATABASE_URL, ssl: true, entities: [], migrations: ["migrations/*.js"] });
`,
      ...each(
        migrations,
        (migration) => `migrations/${stamp(migration)}-${migration.name}.js`,
        ({ number, name, up, down }) =>
          `exports.M = class { name = "${name}${1_700_000_000_000 + number}"; up(runner) { return runner.query(${quoted(up)}); } down(runner) { return runner.query(${quoted(down)}); } };\n`,
      ),
    }),
    migrate: ["typeorm", "migration:run", "-d", "data-source.js"],
    back: ["typeorm", "migration:revert", "-d", "data-source.js"],
    compare: ["typeorm", "schema:log", "-d", "data-source.js"],
  },
  {
    name: "mikro_orm",
    title: "MikroORM",
    package: "@mikro-orm/core",
    language: "node",
    files: (migrations) => ({
      "package.json": `{ "dependencies": { "@mikro-orm/cli": "*" }, "mikro-orm": { "configPaths": ["./mikro-orm.config.js"] } }\n`,
      "mikro-orm.config.js": `const { defineConfig } = require("@mikro-orm/postgresql");
const { Migrator } = require("@mikro-orm/migrations");
module.exports = defineConfig({
  clientUrl: process.env.DATABASE_URL, driverOptions: { connection: { ssl: true } }, extensions: [Migrator],
  entities: [], discovery: { warnWhenNoEntities: false }, migrations: { path: "migrations", glob: "*.js", snapshot: false },
  schemaGenerator: { ignoreSchema: ["_bemi"] },
});
`,
      ...each(
        migrations,
        (migration) => `migrations/Migration${stamp(migration)}.js`,
        (migration) =>
          `const { Migration } = require("@mikro-orm/migrations");\nexports.Migration${stamp(migration)} = class extends Migration { async up() { this.addSql(${quoted(migration.up)}); } async down() { this.addSql(${quoted(migration.down)}); } };\n`,
      ),
    }),
    migrate: ["mikro-orm", "migration:up"],
    back: ["mikro-orm", "migration:down"],
    compare: ["mikro-orm", "schema:update", "--dump"],
  },
  {
    name: "drizzle",
    title: "Drizzle",
    package: "drizzle-kit",
    language: "node",
    files: (migrations) => ({
      "drizzle.config.js": drizzleConfig("drizzle"),
      "pull.config.js": drizzleConfig("pulled"),
      "schema.js": "module.exports = {};\n",
      "drizzle/meta/_journal.json": JSON.stringify({
        version: "7",
        dialect: "postgresql",
        entries: migrations.map(({ number, name }) => ({
          idx: number - 1,
          version: "7",
          when: 1_700_000_000_000 + number,
          tag: `${String(number - 1).padStart(4, "0")}_${name}`,
          breakpoints: true,
        })),
      }),
      ...each(
        migrations,
        ({ number, name }) => `drizzle/${String(number - 1).padStart(4, "0")}_${name}.sql`,
        ({ up }) => `${up};\n`,
      ),
    }),
    migrate: ["drizzle-kit", "migrate"],
    compare: ["bash", "-c", "drizzle-kit pull --config=pull.config.js && cat pulled/*.sql"],
  },
  {
    name: "prisma",
    title: "Prisma",
    package: "prisma",
    language: "node",
    files: (migrations) => ({
      "prisma/schema.prisma": `datasource db {\n  provider = "postgresql"\n  url      = env("DATABASE_URL")\n}\n`,
      "prisma/migrations/migration_lock.toml": `provider = "postgresql"\n`,
      ...each(
        migrations,
        (migration) => `prisma/migrations/${stamp(migration)}_${migration.name}/migration.sql`,
        ({ up }) => `${up};\n`,
      ),
    }),
    migrate: ["prisma", "migrate", "deploy"],
    compare: ["prisma", "db", "pull", "--print"],
  },
  {
    name: "alembic",
    title: "Alembic",
    package: "alembic",
    language: "python",
    files: (migrations) => ({
      "alembic.ini": "[alembic]\nscript_location = migrations\n",
      "migrations/script.py.mako": "",
      "migrations/env.py": `import os
from alembic import context
from sqlalchemy import MetaData, create_engine
url = os.environ["DATABASE_URL"].replace("postgresql://", "postgresql+psycopg://")
with create_engine(url).connect() as connection:
    context.configure(connection=connection, target_metadata=MetaData(), include_schemas=True)
    with context.begin_transaction():
        context.run_migrations()
`,
      ...each(
        migrations,
        (migration) => `migrations/versions/${stamp(migration)}_${migration.name}.py`,
        (migration) =>
          `from alembic import op
revision = "m${migration.number}"
down_revision = ${migration.number === 1 ? "None" : `"m${migration.number - 1}"`}
def upgrade():
    op.execute(${quoted(migration.up)})
def downgrade():
    op.execute(${quoted(migration.down)})
`,
      ),
    }),
    migrate: ["alembic", "upgrade", "head"],
    back: ["alembic", "downgrade", "-1"],
    // It always finds something: the model is empty.
    compare: ["bash", "-c", "alembic check || true"],
  },
  {
    name: "django",
    title: "Django",
    package: "django",
    language: "python",
    files: (migrations) => ({
      "settings.py": `import os
from urllib.parse import unquote, urlparse
url = urlparse(os.environ["DATABASE_URL"])
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": url.path[1:], "HOST": url.hostname, "PORT": url.port,
  "USER": unquote(url.username), "PASSWORD": unquote(url.password), "OPTIONS": {"sslmode": "require"}}}
INSTALLED_APPS = ["shop"]
`,
      "shop/__init__.py": "",
      "shop/migrations/__init__.py": "",
      ...each(
        migrations,
        ({ number }) => `shop/migrations/m${number}.py`,
        ({ number, up, down }) =>
          `from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [${number === 1 ? "" : `("shop", "m${number - 1}")`}]
    operations = [migrations.RunSQL(${quoted(up)}, ${quoted(down)})]
`,
      ),
    }),
    migrate: ["django-admin", "migrate", "--settings=settings", "--pythonpath=."],
    back: ["django-admin", "migrate", "--settings=settings", "--pythonpath=.", "shop", "m8"],
    compare: ["django-admin", "inspectdb", "--settings=settings", "--pythonpath=."],
  },
];
