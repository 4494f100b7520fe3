/* Talks to the admin listener of a running daemon. */
#include "cli/admin_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/token.h"

#define ANSWER_MAX ((size_t)64 << 20)

struct answer {
    char *data;
    size_t size;
};

const char *od_admin_address(const struct od_args *args)
{
    const char *given = od_args_text(args, "admin"), *environment = getenv("ORDERLY_ADMIN_LISTEN");
    return given ? given : environment && *environment ? environment : "127.0.0.1:7930";
}

static size_t take(char *data, size_t size, size_t count, void *userdata)
{
    struct answer *answer = userdata;
    size_t more = size * count;
    if (more > ANSWER_MAX - answer->size) {
        return 0;
    }
    char *grown = realloc(answer->data, answer->size + more + 1);
    if (!grown) {
        return 0;
    }
    memcpy(grown + answer->size, data, more);
    answer->data = grown;
    answer->size += more;
    grown[answer->size] = '\0';
    return more;
}

static int explain(const struct od_args *args, CURLcode code)
{
    const char *address = od_admin_address(args);
    if (code == CURLE_COULDNT_CONNECT || code == CURLE_COULDNT_RESOLVE_HOST) {
        return od_talk_failure(args, OD_EXIT_NOT_RUNNING,
                               "no daemon listens at %s; is it running, and is --admin its address? (its log names it)",
                               address);
    }
    return od_talk_failure(args, OD_EXIT_FAILURE, "%s: %s", address, curl_easy_strerror(code));
}

/* Authorization, when the token can be read. */
static struct curl_slist *token_header(const struct od_args *args)
{
    const char *given = od_args_text(args, "token-file");
    char *path = given ? strdup(given) : od_token_path(od_admin_address(args));
    char token[OD_TOKEN_SIZE], line[OD_TOKEN_SIZE + 32];
    struct orderly_error error = ORDERLY_ERROR_INIT;
    struct curl_slist *list = NULL;
    if (path && !od_token_read(path, token, &error)) {
        snprintf(line, sizeof line, "Authorization: Bearer %s", token);
        list = curl_slist_append(NULL, line);
    }
    free(path);
    return list;
}

static void prepare(CURL *curl, const struct od_args *args, const char *path, struct answer *answer)
{
    const char *address = od_admin_address(args);
    char url[1024];
    if (!strncmp(address, "unix:", 5)) {
        snprintf(url, sizeof url, "http://localhost%s", path);
        curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, address + 5);
    } else {
        snprintf(url, sizeof url, "http://%s%s", address, path);
    }
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_PROXY, "");
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, 3000L);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, 15000L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, answer);
}

/* One request: `answer` holds what came, and *ret_status its status. */
static CURLcode perform(const struct od_args *args, const char *path, bool post, struct answer *answer,
                        long *ret_status)
{
    CURL *curl = curl_easy_init();
    if (!curl) {
        return CURLE_OUT_OF_MEMORY;
    }
    struct curl_slist *headers = post ? token_header(args) : NULL;
    prepare(curl, args, path, answer);
    if (post) {
        curl_easy_setopt(curl, CURLOPT_POST, 1L);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, "");
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    }
    CURLcode code = curl_easy_perform(curl);
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
    curl_slist_free_all(headers);
    curl_easy_cleanup(curl);
    return code;
}

static int request(const struct od_args *args, const char *path, bool post, struct answer *answer, long *ret_status)
{
    CURLcode code = perform(args, path, post, answer, ret_status);
    return code ? explain(args, code) : OD_EXIT_OK;
}

bool od_admin_reachable(const struct od_args *args)
{
    struct answer answer = {0};
    long status = 0;
    CURLcode code = perform(args, "/healthz", false, &answer, &status);
    free(answer.data);
    return code != CURLE_COULDNT_CONNECT && code != CURLE_COULDNT_RESOLVE_HOST;
}

int od_admin_get(const struct od_args *args, const char *path, json_t **ret)
{
    struct answer answer = {0};
    long status = 0;
    int code = request(args, path, false, &answer, &status);
    json_t *json = code || status != 200 ? NULL : json_loadb(answer.data ? answer.data : "", answer.size, 0, NULL);
    if (!code && !json) {
        code =
            od_talk_failure(args, OD_EXIT_FAILURE, "%s answers with status %ld and no JSON; is it an orderly daemon?",
                            od_admin_address(args), status);
    }
    free(answer.data);
    if (!code) {
        *ret = json;
    }
    return code;
}

int od_admin_post(const struct od_args *args, const char *path)
{
    struct answer answer = {0};
    long status = 0;
    int code = request(args, path, true, &answer, &status);
    if (!code && status == 401) {
        code = od_talk_failure(
            args, OD_EXIT_FAILURE,
            "the daemon wants its token: give --token-file (its log names the file; only its user may read it)");
    } else if (!code && status >= 300) {
        json_t *json = json_loadb(answer.data ? answer.data : "", answer.size, 0, NULL);
        const char *text = json_string_value(json_object_get(json, "error"));
        code = od_talk_failure(args, OD_EXIT_FAILURE, "%s (status %ld)", text ? text : "the daemon refused", status);
        json_decref(json);
    }
    free(answer.data);
    return code;
}

void od_admin_query(char *path, size_t size, const char *name, const char *value)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    size_t used = strlen(path);
    used += (size_t)snprintf(path + used, size - used, "%c%s=", strchr(path, '?') ? '&' : '?', name);
    for (; *value && used + 4 < size; value++) {
        used +=
            (size_t)snprintf(path + used, size - used, strchr(plain, *value) ? "%c" : "%%%02X", (unsigned char)*value);
    }
}
