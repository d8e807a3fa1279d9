/* Runs a command and counts the calls of its whole process tree that change a file below a watched directory;
 * at the n-th of them it kills the tree, tears the write, or lets the call fail.
 *
 * tracer [-n N] [-l LOG] (-u WATCHED)… [-x IGNORED]… (-K | -A | -T | -S | -e ERRNO [-P] | -s SIGNAL) -- COMMAND…
 *
 *   -K  kill before the call      -A  kill after it        -T  do half of a write, then kill
 *   -S  do half of a write        -e  fail with ERRNO      -P  … and every later call of the same class
 *   -s  send SIGNAL and go on
 *
 * What can't be torn is not: an append within a sector.
 *
 * The longest of the -u and -x directories that a path lies in decides whether it counts. One counter serves all
 * threads and children (strace's when= counts per thread), so N means the same place in every run.
 * Exit code: the command's own, 128 + signal, or 137 where the tree was killed.
 * Not seen: stores through shared mappings, io_uring. Linux on x86-64 only.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define PATH_ROOM (PATH_MAX * 2 + 2)
#define SYS_OPENAT2 437
#define SYS_FCHMODAT2 452
#define IOCTL_FICLONE 0x40049409UL
#define IOCTL_FICLONERANGE 0x4020940dUL

/* Where a call says which file it touches. */
enum place { BY_FD, BY_THIRD_FD, BY_PATH, BY_DIR_AND_PATH, TWO_PATHS, TWO_DIRS_AND_PATHS, SYMLINK, SYMLINK_AT };
enum class_of_call { WRITES = 1, CREATES = 2, NAMES = 4, DESCRIBES = 8, SYNCS = 16 };

struct call {
    int number;
    const char *name;
    enum place place;
    enum class_of_call class;
};

static const struct call CALLS[] = {
    {SYS_write, "write", BY_FD, WRITES},
    {SYS_pwrite64, "pwrite64", BY_FD, WRITES},
    {SYS_writev, "writev", BY_FD, WRITES},
    {SYS_pwritev, "pwritev", BY_FD, WRITES},
    {SYS_pwritev2, "pwritev2", BY_FD, WRITES},
    {SYS_copy_file_range, "copy_file_range", BY_THIRD_FD, WRITES},
    {SYS_sendfile, "sendfile", BY_FD, WRITES},
    {SYS_splice, "splice", BY_THIRD_FD, WRITES},
    {SYS_fallocate, "fallocate", BY_FD, WRITES},
    {SYS_ftruncate, "ftruncate", BY_FD, WRITES},
    {SYS_truncate, "truncate", BY_PATH, WRITES},
    {SYS_ioctl, "ioctl-clone", BY_FD, WRITES},
    {SYS_open, "open", BY_PATH, CREATES},
    {SYS_openat, "openat", BY_DIR_AND_PATH, CREATES},
    {SYS_OPENAT2, "openat2", BY_DIR_AND_PATH, CREATES},
    {SYS_creat, "creat", BY_PATH, CREATES},
    {SYS_mkdir, "mkdir", BY_PATH, CREATES},
    {SYS_mkdirat, "mkdirat", BY_DIR_AND_PATH, CREATES},
    {SYS_mknod, "mknod", BY_PATH, CREATES},
    {SYS_mknodat, "mknodat", BY_DIR_AND_PATH, CREATES},
    {SYS_symlink, "symlink", SYMLINK, CREATES},
    {SYS_symlinkat, "symlinkat", SYMLINK_AT, CREATES},
    {SYS_rename, "rename", TWO_PATHS, NAMES},
    {SYS_renameat, "renameat", TWO_DIRS_AND_PATHS, NAMES},
    {SYS_renameat2, "renameat2", TWO_DIRS_AND_PATHS, NAMES},
    {SYS_link, "link", TWO_PATHS, NAMES},
    {SYS_linkat, "linkat", TWO_DIRS_AND_PATHS, NAMES},
    {SYS_unlink, "unlink", BY_PATH, NAMES},
    {SYS_unlinkat, "unlinkat", BY_DIR_AND_PATH, NAMES},
    {SYS_rmdir, "rmdir", BY_PATH, NAMES},
    {SYS_chmod, "chmod", BY_PATH, DESCRIBES},
    {SYS_fchmod, "fchmod", BY_FD, DESCRIBES},
    {SYS_fchmodat, "fchmodat", BY_DIR_AND_PATH, DESCRIBES},
    {SYS_FCHMODAT2, "fchmodat2", BY_DIR_AND_PATH, DESCRIBES},
    {SYS_chown, "chown", BY_PATH, DESCRIBES},
    {SYS_fchown, "fchown", BY_FD, DESCRIBES},
    {SYS_lchown, "lchown", BY_PATH, DESCRIBES},
    {SYS_fchownat, "fchownat", BY_DIR_AND_PATH, DESCRIBES},
    {SYS_utimensat, "utimensat", BY_DIR_AND_PATH, DESCRIBES},
    {SYS_setxattr, "setxattr", BY_PATH, DESCRIBES},
    {SYS_fsetxattr, "fsetxattr", BY_FD, DESCRIBES},
    {SYS_fsync, "fsync", BY_FD, SYNCS},
    {SYS_fdatasync, "fdatasync", BY_FD, SYNCS},
    {SYS_sync_file_range, "sync_file_range", BY_FD, SYNCS},
    {SYS_syncfs, "syncfs", BY_FD, SYNCS},
};
#define N_CALLS ((int)(sizeof CALLS / sizeof *CALLS))

static struct { const char *path; int counts; } areas[32];
static int n_areas;

static long wanted, counted;
static FILE *log_file;
static int fail_with, keep_failing, failing_class, send_signal, kill_before, kill_after, tear, halve;

static pid_t alive[4096];
static int n_alive, killed;

/* ---- the process tree */

static int place_of(pid_t pid) {
    for (int i = 0; i < n_alive; i++)
        if (alive[i] == pid) return i;
    return -1;
}

static void remember(pid_t pid) {
    if (place_of(pid) < 0 && n_alive < 4096) alive[n_alive++] = pid;
}

static void forget(pid_t pid) {
    int i = place_of(pid);
    if (i >= 0) alive[i] = alive[--n_alive];
}

static void kill_tree(void) {
    for (int i = 0; i < n_alive; i++) {
        syscall(SYS_tkill, alive[i], SIGKILL);
        kill(alive[i], SIGKILL);
    }
    killed = 1;
}

/* ---- which file a call touches */

static void read_string(pid_t pid, unsigned long address, char *out, size_t room) {
    size_t done = 0;
    while (done < room - 1) {
        size_t step = 4096 - ((address + done) & 4095); /* never across a page that may be missing */
        if (step > room - 1 - done) step = room - 1 - done;
        struct iovec here = {out + done, step}, there = {(void *)(address + done), step};
        ssize_t got = process_vm_readv(pid, &here, 1, &there, 1, 0);
        if (got <= 0) break;
        if (memchr(out + done, 0, got)) return;
        done += got;
    }
    out[done] = 0;
}

/* Remove "." and ".." from the text of a path. */
static void normalise(char *path) {
    char out[PATH_ROOM] = "", *rest, *copy = strdup(path);
    for (char *part = strtok_r(copy, "/", &rest); part; part = strtok_r(NULL, "/", &rest)) {
        if (!strcmp(part, ".")) continue;
        if (!strcmp(part, "..")) {
            char *slash = strrchr(out, '/');
            if (slash) *slash = 0;
            continue;
        }
        strncat(out, "/", sizeof out - strlen(out) - 1);
        strncat(out, part, sizeof out - strlen(out) - 1);
    }
    free(copy);
    strcpy(path, *out ? out : "/");
}

static void read_proc_link(pid_t pid, const char *what, char *out) {
    char link[96];
    snprintf(link, sizeof link, "/proc/%d/%s", pid, what);
    ssize_t length = readlink(link, out, PATH_MAX - 1);
    out[length > 0 ? length : 0] = 0;
}

static void path_of_fd(pid_t pid, int fd, char *out) {
    char what[32];
    snprintf(what, sizeof what, "fd/%d", fd);
    read_proc_link(pid, what, out);
}

static void path_at(pid_t pid, int directory, unsigned long address, char *out) {
    char path[PATH_MAX] = "", base[PATH_MAX] = "";
    read_string(pid, address, path, sizeof path);
    if (path[0] == '/') {
        strcpy(out, path);
    } else {
        if (directory == AT_FDCWD) read_proc_link(pid, "cwd", base);
        else path_of_fd(pid, directory, base);
        snprintf(out, PATH_ROOM, "%s/%s", base, path);
    }
    normalise(out);
}

static int lies_in(const char *path, const char *area) {
    size_t length = strlen(area);
    return !strncmp(path, area, length) && (path[length] == 0 || path[length] == '/' || path[length] == ' ');
}

static int is_watched(const char *path) {
    int counts = 0;
    size_t longest = 0;
    for (int i = 0; i < n_areas; i++)
        if (lies_in(path, areas[i].path) && strlen(areas[i].path) > longest) {
            longest = strlen(areas[i].path);
            counts = areas[i].counts;
        }
    return counts;
}

static int only_opens(pid_t pid, const struct user_regs_struct *regs, int number) {
    uint64_t flags = O_CREAT;
    if (number == SYS_open) flags = regs->rsi;
    if (number == SYS_openat) flags = regs->rdx;
    if (number == SYS_OPENAT2) {
        struct iovec here = {&flags, sizeof flags}, there = {(void *)regs->rdx, sizeof flags};
        process_vm_readv(pid, &here, 1, &there, 1, 0);
    }
    return !(flags & (O_CREAT | O_TRUNC)) && (flags & O_TMPFILE) != O_TMPFILE;
}

static void write_text(FILE *out, const char *text) {
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = *text;
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < 32 || c > 126) fprintf(out, "\\u%04x", c);
        else fputc(c, out);
    }
    fputc('"', out);
}

/* The call, if it counts; it is then counted and logged. */
static const struct call *count_call(pid_t pid, const struct user_regs_struct *regs) {
    const struct call *call = NULL;
    char first[PATH_ROOM] = "", second[PATH_ROOM] = "";
    for (int i = 0; i < N_CALLS && !call; i++)
        if (CALLS[i].number == (int)regs->orig_rax) call = &CALLS[i];
    if (!call) return NULL;
    if (call->number == SYS_ioctl && regs->rsi != IOCTL_FICLONE && regs->rsi != IOCTL_FICLONERANGE) return NULL;
    if (call->class == CREATES && only_opens(pid, regs, call->number)) return NULL;
    switch (call->place) {
        case BY_FD: path_of_fd(pid, (int)regs->rdi, first); break;
        case BY_THIRD_FD: path_of_fd(pid, (int)regs->rdx, first); break;
        case BY_PATH: path_at(pid, AT_FDCWD, regs->rdi, first); break;
        case BY_DIR_AND_PATH: path_at(pid, (int)regs->rdi, regs->rsi, first); break;
        case TWO_PATHS:
            path_at(pid, AT_FDCWD, regs->rdi, first);
            path_at(pid, AT_FDCWD, regs->rsi, second);
            break;
        case TWO_DIRS_AND_PATHS:
            path_at(pid, (int)regs->rdi, regs->rsi, first);
            path_at(pid, (int)regs->rdx, regs->r10, second);
            break;
        case SYMLINK: path_at(pid, AT_FDCWD, regs->rsi, first); break;
        case SYMLINK_AT: path_at(pid, (int)regs->rsi, regs->rdx, first); break;
    }
    if (!is_watched(first) && !(*second && is_watched(second))) return NULL;
    counted++;
    if (log_file) {
        fprintf(log_file, "{\"n\":%ld,\"call\":\"%s\",\"class\":%d,\"path\":", counted, call->name, call->class);
        write_text(log_file, first);
        fprintf(log_file, ",\"to\":");
        write_text(log_file, second);
        fprintf(log_file, "}\n");
        fflush(log_file);
    }
    return call;
}

/* ---- running */

/* Stop at the calls of the table only; everything else runs at full speed. */
static void install_filter(void) {
    struct sock_filter filter[N_CALLS + 8];
    int n = 0;
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (int i = 0; i < N_CALLS; i++)
        filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, CALLS[i].number, N_CALLS - i, 0);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
    struct sock_fprog program = {n, filter};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program)) {
        perror("tracer: seccomp");
        _exit(126);
    }
}

/* Where a write says how long it is. */
static unsigned long long *length_of(const struct call *call, struct user_regs_struct *regs) {
    switch (call->number) {
        case SYS_write:
        case SYS_pwrite64: return &regs->rdx;
        case SYS_copy_file_range: return &regs->r8;
        case SYS_sendfile: return &regs->r10;
        default: return NULL;
    }
}

/* Whether a write adds to the end of a file within one sector of it: the kernel copies that in one step, and no disk
 * writes half of a sector, so it can't be torn. */
static int is_whole_append(pid_t pid, const struct call *call, const struct user_regs_struct *regs) {
    char name[96];
    struct stat found;
    unsigned flags = 0;
    if (call->number != SYS_write) return 0;
    snprintf(name, sizeof name, "/proc/%d/fdinfo/%d", pid, (int)regs->rdi);
    FILE *info = fopen(name, "r");
    if (!info) return 0;
    int known = fscanf(info, "pos: %*u flags: %o", &flags) == 1;
    fclose(info);
    snprintf(name, sizeof name, "/proc/%d/fd/%d", pid, (int)regs->rdi);
    if (!known || !(flags & O_APPEND) || stat(name, &found)) return 0;
    return found.st_size / 512 == (found.st_size + (off_t)regs->rdx - 1) / 512;
}

/* Do to the call what was asked for; says how to let the process go on, or -1 where the tree was killed. */
static int disturb(pid_t pid, const struct call *call, struct user_regs_struct *regs) {
    unsigned long long *length = length_of(call, regs);
    if (fail_with) {
        failing_class = call->class;
        regs->orig_rax = -1;
        regs->rax = -fail_with;
        ptrace(PTRACE_SETREGS, pid, 0, regs);
        return PTRACE_CONT;
    }
    if (send_signal) {
        kill(pid, send_signal);
        return PTRACE_CONT;
    }
    if ((tear || halve) && length && *length > 1 && !is_whole_append(pid, call, regs)) {
        *length = *length > (1UL << 24) ? 4096 : *length / 2;
        ptrace(PTRACE_SETREGS, pid, 0, regs);
        return tear ? PTRACE_SYSCALL : PTRACE_CONT;
    }
    if (halve) return PTRACE_CONT;
    if (kill_after) return PTRACE_SYSCALL;
    if (kill_before || tear) {
        kill_tree();
        return -1;
    }
    return PTRACE_CONT;
}

static int is_hit(const struct call *call) {
    if (!call || !wanted) return 0;
    return counted == wanted || (keep_failing && counted > wanted && (call->class & failing_class));
}

static int trace(pid_t main_pid) {
    int status, code = 125;
    pid_t pid;
    while ((pid = waitpid(-1, &status, __WALL)) > 0) {
        if (WIFEXITED(status) || WIFSIGNALED(status)) {
            if (pid == main_pid) code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            forget(pid);
            continue;
        }
        int signal_number = WSTOPSIG(status), event = status >> 16;
        remember(pid);
        if (killed) {
            kill(pid, SIGKILL);
            ptrace(PTRACE_CONT, pid, 0, 0);
        } else if (signal_number == (SIGTRAP | 0x80)) { /* the call that was to finish first has finished */
            kill_tree();
        } else if (signal_number == SIGTRAP && event == PTRACE_EVENT_SECCOMP) {
            struct user_regs_struct regs;
            if (ptrace(PTRACE_GETREGS, pid, 0, &regs)) continue;
            const struct call *call = count_call(pid, &regs);
            int how = is_hit(call) ? disturb(pid, call, &regs) : PTRACE_CONT;
            if (how >= 0) ptrace(how, pid, 0, 0);
        } else if (event) { /* fork, clone, exec */
            unsigned long child = 0;
            if (event != PTRACE_EVENT_EXEC && !ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) && child) remember((pid_t)child);
            ptrace(PTRACE_CONT, pid, 0, 0);
        } else { /* a new task's first stop, or a signal of its own to be delivered */
            int ours = signal_number == SIGSTOP || signal_number == SIGTRAP;
            ptrace(PTRACE_CONT, pid, 0, ours ? 0 : signal_number);
        }
    }
    return code;
}

int main(int argc, char **argv) {
    int option;
    while ((option = getopt(argc, argv, "+n:l:u:x:e:s:KATSP")) != -1) switch (option) {
        case 'n': wanted = atol(optarg); break;
        case 'l': log_file = fopen(optarg, "w"); break;
        case 'u':
        case 'x':
            if (n_areas == 32) return 125;
            areas[n_areas].path = optarg;
            areas[n_areas++].counts = option == 'u';
            break;
        case 'e': fail_with = atoi(optarg); break;
        case 's': send_signal = atoi(optarg); break;
        case 'K': kill_before = 1; break;
        case 'A': kill_after = 1; break;
        case 'T': tear = 1; break;
        case 'S': halve = 1; break;
        case 'P': keep_failing = 1; break;
        default: return 125;
    }
    pid_t main_pid = fork();
    if (!main_pid) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(126);
        raise(SIGSTOP);
        install_filter();
        execvp(argv[optind], argv + optind);
        perror(argv[optind]);
        _exit(127);
    }
    int status;
    waitpid(main_pid, &status, 0);
    if (!WIFSTOPPED(status)) return 126; /* not allowed to trace here */
    ptrace(PTRACE_SETOPTIONS, main_pid, 0,
           PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC |
               PTRACE_O_EXITKILL | PTRACE_O_TRACESYSGOOD);
    remember(main_pid);
    ptrace(PTRACE_CONT, main_pid, 0, 0);
    int code = trace(main_pid);
    if (log_file) fclose(log_file);
    return killed ? 137 : code;
}
