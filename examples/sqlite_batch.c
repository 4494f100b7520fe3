/*
 * (e) Batch insert into SQLite. A write is safe to repeat: the row's key is the record's idempotency key, and the fence lets a newer owner
 * win over one that was thrown out of the group and does not know it yet.
 *
 *   sqlite_batch BROKERS GROUP TOPIC DATABASE [COUNT]
 */
#include <orderly/orderly.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

static struct orderly *member;
static size_t wanted = SIZE_MAX, done;

struct store {
    sqlite3 *database;
    sqlite3_stmt *insert;
};

static const char schema[] =
    "PRAGMA journal_mode=WAL; PRAGMA busy_timeout=10000;"
    "CREATE TABLE IF NOT EXISTS records (id TEXT PRIMARY KEY, fence INTEGER NOT NULL, value BLOB)";
/* A row that a newer owner has written stays. */
static const char upsert[] = "INSERT INTO records (id, fence, value) VALUES (?1, ?2, ?3) ON CONFLICT (id) DO UPDATE "
                             "SET fence = excluded.fence, value = excluded.value WHERE excluded.fence >= records.fence";

static bool insert(struct store *store, struct orderly_record *record)
{
    struct orderly_bytes value = orderly_record_value(record);

    sqlite3_reset(store->insert);
    sqlite3_bind_text(store->insert, 1, orderly_record_idempotency_key(record), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(store->insert, 2, (sqlite3_int64)orderly_record_fence(record));
    sqlite3_bind_blob(store->insert, 3, value.data, (int)value.size, SQLITE_TRANSIENT);
    return sqlite3_step(store->insert) == SQLITE_DONE;
}

/* One worker, so one transaction at a time. All of a batch is stored, or none of it and all is tried again later. */
static void insert_batch(struct orderly_record **records, size_t count, enum orderly_outcome *outcomes, void *userdata)
{
    struct store *store = userdata;
    bool good = sqlite3_exec(store->database, "BEGIN IMMEDIATE", NULL, NULL, NULL) == SQLITE_OK;

    for (size_t i = 0; i < count && good; i++) {
        good = insert(store, records[i]);
    }
    good = good && sqlite3_exec(store->database, "COMMIT", NULL, NULL, NULL) == SQLITE_OK;
    if (!good) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(store->database));
        (void)sqlite3_exec(store->database, "ROLLBACK", NULL, NULL, NULL);
    }
    for (size_t i = 0; i < count; i++) {
        outcomes[i] = good ? ORDERLY_ACK : ORDERLY_RETRY;
    }
    done += good ? count : 0;
    if (done >= wanted) {
        (void)!orderly_close(member);
    }
}

int main(int argc, char **argv)
{
    const char *const names[] = {"kafka.bootstrap.servers", "kafka.group.id", "topics"};
    struct orderly_handler handler = ORDERLY_HANDLER_INIT;
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct orderly_config *config = NULL;
    struct store store = {NULL, NULL};
    enum orderly_err result = ORDERLY_INVALID;

    if (argc < 5 || sqlite3_open(argv[4], &store.database) != SQLITE_OK ||
        sqlite3_exec(store.database, schema, NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(store.database, upsert, -1, &store.insert, NULL) != SQLITE_OK) {
        fprintf(stderr, "usage: %s BROKERS GROUP TOPIC DATABASE [COUNT]\n", argv[0]);
        goto done;
    }
    wanted = argc > 5 ? (size_t)atoll(argv[5]) : wanted;
    result = orderly_config_new(&config);
    for (int i = 0; i < 3 && result == ORDERLY_OK; i++) {
        result = orderly_config_set(config, names[i], argv[i + 1], &error);
    }
    if (result == ORDERLY_OK) {
        result = orderly_config_set(config, "start", "earliest", &error);
    }
    handler.handle_batch = insert_batch;
    handler.batch_max = 500;
    handler.batch_wait_ms = 50;
    handler.workers = 1;
    handler.userdata = &store;
    if (result == ORDERLY_OK) {
        result = orderly_config_set(config, "concurrency", "1000", &error);
    }
    if (result == ORDERLY_OK) {
        result = orderly_new(config, &member, &error);
    }
    if (result == ORDERLY_OK) {
        result = orderly_run(member, &handler, &error);
    }
    if (result != ORDERLY_OK) {
        fprintf(stderr, "sqlite_batch: %s %s\n", orderly_strerror(result), error.text);
    }
done:
    orderly_free(member);
    orderly_config_free(config);
    sqlite3_finalize(store.insert);
    sqlite3_close(store.database);
    return result == ORDERLY_OK ? 0 : 1;
}
