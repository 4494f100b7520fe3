/* The token that changes need: see token.h. */
#include "daemon/token.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

char *od_token_path(const char *listen)
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    char *path = NULL;
    int size;

    if (strncmp(listen, "unix:", 5) == 0) {
        size = asprintf(&path, "%s.token", listen + 5);
    } else if (runtime != NULL && runtime[0] == '/') {
        size = asprintf(&path, "%s/orderly/%s.token", runtime, listen);
    } else {
        size = asprintf(&path, "/tmp/orderly-%u/%s.token", (unsigned)geteuid(), listen);
    }
    if (size < 0) {
        return NULL;
    }
    for (char *at = strrchr(path, '/'); at != NULL && *at != '\0'; at++) {
        if (*at == ':' || *at == '[' || *at == ']') {
            *at = '-'; /* the address, as a file name */
        }
    }
    return path;
}

static enum orderly_err refuse(struct orderly_error *error, const char *path, const char *why)
{
    error->code = ORDERLY_CONFIG;
    snprintf(error->text, sizeof error->text,
             "the token file %.300s: %s (it is in XDG_RUNTIME_DIR, or beside a socket; --admin off does without)", path,
             why);
    return ORDERLY_CONFIG;
}

/* The folder is ours alone, or it is not used. */
static enum orderly_err make_folder(const char *path, struct orderly_error *error)
{
    char *folder = strdup(path);
    char *slash = folder != NULL ? strrchr(folder, '/') : NULL;
    enum orderly_err err = ORDERLY_OK;
    struct stat status;

    if (slash != NULL && slash != folder) {
        *slash = '\0';
        if (mkdir(folder, 0700) != 0 && errno != EEXIST) {
            err = refuse(error, path, strerror(errno));
        } else if (strncmp(folder, "/tmp/", 5) == 0 &&
                   (lstat(folder, &status) != 0 || !S_ISDIR(status.st_mode) || status.st_uid != geteuid() ||
                    (strncmp(folder, "/tmp/orderly-", 13) == 0 && (status.st_mode & 077) != 0))) {
            err = refuse(error, path, "its folder belongs to someone else or is open to others");
        }
    }
    free(folder);
    return err;
}

enum orderly_err od_token_create(const char *path, char ret[OD_TOKEN_SIZE], struct orderly_error *error)
{
    unsigned char random[OD_TOKEN_SIZE / 2];
    enum orderly_err err = make_folder(path, error);
    int fd;

    if (err != ORDERLY_OK) {
        return err;
    }
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return refuse(error, path, "no random numbers");
    }
    for (size_t i = 0; i < sizeof random; i++) {
        snprintf(ret + 2 * i, 3, "%02x", random[i]);
    }
    unlink(path);
    fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        return refuse(error, path, strerror(errno));
    }
    if (fchmod(fd, 0600) != 0 || write(fd, ret, OD_TOKEN_SIZE - 1) != OD_TOKEN_SIZE - 1 || write(fd, "\n", 1) != 1) {
        err = refuse(error, path, strerror(errno));
    }
    close(fd);
    return err;
}

enum orderly_err od_token_read(const char *path, char ret[OD_TOKEN_SIZE], struct orderly_error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t size;

    if (fd < 0) {
        return refuse(error, path, strerror(errno));
    }
    size = read(fd, ret, OD_TOKEN_SIZE - 1);
    close(fd);
    if (size != OD_TOKEN_SIZE - 1) {
        return refuse(error, path, "it holds no token");
    }
    ret[OD_TOKEN_SIZE - 1] = '\0';
    return ORDERLY_OK;
}

bool od_token_equal(const char *a, const char *b)
{
    size_t a_size = strlen(a), b_size = strlen(b);
    unsigned difference = a_size != b_size;

    for (size_t i = 0; i < a_size && i < b_size; i++) {
        difference |= (unsigned)(unsigned char)a[i] ^ (unsigned)(unsigned char)b[i];
    }
    return difference == 0;
}
