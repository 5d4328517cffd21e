/* What a test cannot ask of a real disk, a real clock or a real name server: preloaded into the daemon
 * under torture, it stands between the program and the C library, and does as a shared page says.
 * Nothing of it is in any build of dispatcher. The words of the page are named in src/shim.rs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { CLOCK, SYNC, KILL_BEFORE, KILL_AFTER, NAMES, SYNCS, WORDS };

static int64_t nothing[WORDS];
static volatile int64_t *page = nothing;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("TORTURE_CONTROL");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (fd < 0) return;
    void *mapped = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    if (mapped != MAP_FAILED) page = mapped;
}

static void count_down(int word) {
    if (page[word] > 0 && __atomic_sub_fetch(&page[word], 1, __ATOMIC_SEQ_CST) == 0) kill(getpid(), SIGKILL);
}

static int synced(long call, int fd) {
    count_down(KILL_BEFORE);
    if (page[SYNC] == 2) {
        errno = EIO;
        return -1;
    }
    int done = page[SYNC] == 1 ? 0 : (int)syscall(call, fd);
    __atomic_add_fetch(&page[SYNCS], 1, __ATOMIC_SEQ_CST);
    count_down(KILL_AFTER);
    return done;
}

int fsync(int fd) { return synced(SYS_fsync, fd); }
int fdatasync(int fd) { return synced(SYS_fdatasync, fd); }

int clock_gettime(clockid_t clock, struct timespec *time) {
    int done = (int)syscall(SYS_clock_gettime, clock, time);
    if (done == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) time->tv_sec += page[CLOCK];
    return done;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    int done = (int)syscall(SYS_gettimeofday, time, zone);
    if (done == 0 && time) time->tv_sec += page[CLOCK];
    return done;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out) *out = now.tv_sec;
    return now.tv_sec;
}

int getaddrinfo(const char *restrict node, const char *restrict service, const struct addrinfo *restrict hints,
                struct addrinfo **restrict found) {
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (page[NAMES]) return EAI_AGAIN;
    if (!real) real = (int (*)(const char *, const char *, const struct addrinfo *, struct addrinfo **))dlsym(RTLD_NEXT, "getaddrinfo");
    return real(node, service, hints, found);
}
