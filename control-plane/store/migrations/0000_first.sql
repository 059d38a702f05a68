CREATE SCHEMA IF NOT EXISTS "sluice";
--> statement-breakpoint
CREATE TABLE "sluice"."audit" (
	"id" bigint PRIMARY KEY GENERATED ALWAYS AS IDENTITY (sequence name "sluice"."audit_id_seq" INCREMENT BY 1 MINVALUE 1 MAXVALUE 9223372036854775807 START WITH 1 CACHE 1),
	"at" timestamp with time zone NOT NULL,
	"actor" text NOT NULL,
	"revision" bigint NOT NULL,
	"action" text NOT NULL,
	"kind" integer NOT NULL,
	"name" text NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."certificates" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."config_head" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"lineage" text NOT NULL,
	"revision" bigint NOT NULL,
	"chain" "bytea" NOT NULL,
	"digest" "bytea" NOT NULL,
	"commit_time" timestamp with time zone NOT NULL,
	CONSTRAINT "config_head_is_one_row" CHECK ("sluice"."config_head"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "sluice"."consumers" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."leader" (
	"id" smallint PRIMARY KEY DEFAULT 1 NOT NULL,
	"epoch" bigint NOT NULL,
	"holder" text NOT NULL,
	"since" timestamp with time zone NOT NULL,
	CONSTRAINT "leader_is_one_row" CHECK ("sluice"."leader"."id" = 1)
);
--> statement-breakpoint
CREATE TABLE "sluice"."policies" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."revisions" (
	"revision" bigint PRIMARY KEY NOT NULL,
	"lineage" text NOT NULL,
	"epoch" bigint NOT NULL,
	"change" "bytea" NOT NULL,
	"previous_chain" "bytea" NOT NULL,
	"chain" "bytea" NOT NULL,
	"digest" "bytea" NOT NULL,
	"actor" text NOT NULL,
	"commit_time" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."routes" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."schemas" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE TABLE "sluice"."services" (
	"name" text PRIMARY KEY NOT NULL,
	"revision" bigint NOT NULL,
	"created_revision" bigint NOT NULL,
	"body" "bytea" NOT NULL,
	"created_at" timestamp with time zone NOT NULL,
	"updated_at" timestamp with time zone NOT NULL
);
--> statement-breakpoint
CREATE INDEX "audit_by_revision" ON "sluice"."audit" USING btree ("revision");--> statement-breakpoint
CREATE INDEX "audit_by_resource" ON "sluice"."audit" USING btree ("kind","name");