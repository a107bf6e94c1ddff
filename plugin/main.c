/* SPDX-License-Identifier: GPL-3.0-or-later */
/**
 * @file
 * The program muppy: commands from the command line, or from gdb's side of the
 * extension over a socket.
 */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "plugin/command.h"
#include "plugin/commands/commands.h"
#include "plugin/gdb_script.h"
#include "plugin/options.h"
#include "plugin/render/number.h"
#include "plugin/saved_index.h"
#include "plugin/server.h"
#include "plugin/session.h"

struct arguments {
  const char *core;
  const char *exe;
  const char *sysroot;
  uint64_t pid;
  uint64_t threads;
  int save_index;
  bool no_index;
  bool help;
  bool version;
  const char *gdb_socket;
  bool restarted;
  bool gdb_script;
  const char *reader;
  const char *program;
};

static const struct command_option options[] = {
    {"core", "FILE", "Read this core file.", OPTION_TEXT,
     offsetof(struct arguments, core)},
    {"exe", "FILE", "The program of the core file; the core names it itself.",
     OPTION_TEXT, offsetof(struct arguments, exe)},
    {"sysroot", "DIR",
     "The program and its libraries as the core names them are below DIR:\n"
     "of a container, say.  gdb has \"set sysroot\" for it.",
     OPTION_TEXT, offsetof(struct arguments, sysroot)},
    {"pid", "PID", "Read this process, which is stopped for that moment.",
     OPTION_NUMBER, offsetof(struct arguments, pid)},
    {"threads", "N", "Work with N threads; default: one for each processor.",
     OPTION_NUMBER, offsetof(struct arguments, threads)},
    {"save-index", "no|beside|cache",
     "Save what was found in the core for the next session: beside the core,\n"
     "or in your cache folder.",
     OPTION_CHOICE, offsetof(struct arguments, save_index)},
    {"no-index", NULL, "Use no saved index.", OPTION_FLAG,
     offsetof(struct arguments, no_index)},
    {"help", NULL, "Show this text.", OPTION_FLAG,
     offsetof(struct arguments, help)},
    {"version", NULL, "Show the version.", OPTION_FLAG,
     offsetof(struct arguments, version)},
    {0},
};

/** Those that the extension's own parts use between themselves. */
static const struct command_option internal_options[] = {
    {"gdb-socket", "FD", "Serve gdb over the descriptor FD.", OPTION_TEXT,
     offsetof(struct arguments, gdb_socket)},
    {"restarted", NULL, "One that served this gdb before has ended.",
     OPTION_FLAG, offsetof(struct arguments, restarted)},
    {"gdb-script", NULL, "Write the user commands that gdb loads.", OPTION_FLAG,
     offsetof(struct arguments, gdb_script)},
    {"reader", "FILE", "The muppy.so that the script loads.", OPTION_TEXT,
     offsetof(struct arguments, reader)},
    {"program", "FILE", "The muppy that the script starts.", OPTION_TEXT,
     offsetof(struct arguments, program)},
};

#define NO_PID UINT64_MAX /**< None was given. */

enum {
  ALL_OPTIONS = sizeof options / sizeof *options +
                sizeof internal_options / sizeof *internal_options,
  /** Work shorter than this shows no progress. */
  QUIET_MILLISECONDS = 1000,
  REDRAW_MILLISECONDS = 100,
};

static void print_help(FILE *out, int width) {
  fputs(
      "Usage: muppy --core=FILE [--exe=FILE] COMMAND [OPTION]... [OPERAND]\n"
      "       muppy --pid=PID COMMAND [OPTION]... [OPERAND]\n"
      "       muppy help [COMMAND]\n"
      "Look into the heap of a Python process: which objects there are, what\n"
      "they weigh and what keeps them alive.\n"
      "\nOptions:\n",
      out);
  help_option_list(out, options, "--");
  fputs("\nCommands:\n", out);
  help_list(out, width);
  fputs("\n"
        "Exit status:\n"
        "  0  the answer was given\n"
        "  1  it could not be given: no such object or type, output not "
        "written\n"
        "  2  the command line makes no sense\n"
        "  3  there is no heap to read: no such core file or process, no\n"
        "     Python in it, or an unsupported version\n"
        "  4  interrupted\n",
        out);
}

/* Progress ------------------------------------------------------------------ */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
  (void)number;
  interrupted = 1;
}

/** A second Ctrl-C ends the program as if there were no handler. */
static void catch_interrupt(void) {
  struct sigaction action = {.sa_handler = on_interrupt,
                             .sa_flags = (int)SA_RESETHAND | SA_RESTART};

  sigaction(SIGINT, &action, NULL);
}

struct display {
  bool terminal;
  bool drawn;
  uint64_t started; /**< Milliseconds; 0: nothing is going on. */
  uint64_t redraw;
};

static uint64_t milliseconds(void) {
  struct timespec now;

  clock_gettime(CLOCK_MONOTONIC, &now);
  return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000 + 1;
}

static void draw(struct display *display, const char *stage, uint64_t done,
                 uint64_t total) {
  fprintf(stderr, "\r\033[Kmuppy: %s", stage);
  if (total)
    fprintf(stderr, " %u %%", (unsigned)(100.0 * (double)done / (double)total));
  fflush(stderr);
  display->drawn = true;
}

static bool step(void *context, const char *stage, uint64_t done,
                 uint64_t total) {
  struct display *display = context;

  if (interrupted)
    return false;
  if (!display->terminal)
    return true;
  if (!*stage) {
    if (display->drawn)
      fputs("\r\033[K", stderr);
    display->drawn = false;
    display->started = 0;
    return true;
  }
  uint64_t now = milliseconds();
  if (!display->started) {
    display->started = now;
    display->redraw = now + QUIET_MILLISECONDS;
  }
  if (now >= display->redraw) {
    draw(display, stage, done, total);
    display->redraw = now + REDRAW_MILLISECONDS;
  }
  return true;
}

/* The terminal --------------------------------------------------------------
 */

static const char *lend_terminal(void *context, const char *restore, int *fd) {
  (void)context;
  (void)restore;
  if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
    return "the input or output is no terminal";
  *fd = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  return *fd < 0 ? "there is no terminal to fill" : NULL;
}

static bool is_interrupted(void *context) {
  (void)context;
  return interrupted;
}

static const struct command_terminal own_terminal = {
    .lend = lend_terminal,
    .wake = -1,
    .is_canceled = is_interrupted,
    .can_stop = true,
};

/* Command line -------------------------------------------------------------- */

static int screen_width(void) {
  struct winsize size;

  if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
    return 0;
  return size.ws_col;
}

static int complain(const struct session *session, enum command_status status) {
  if (status != COMMAND_OK && session->message)
    fprintf(stderr, "muppy: %s\n", session->message);
  return status;
}

/** A program that was named has to be there: what the core names may be
 * missing. */
static enum command_status check_program(struct session *session,
                                         const char *path) {
  struct stat status;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  int why = fd < 0 || fstat(fd, &status) < 0 ? errno
            : S_ISREG(status.st_mode)        ? 0
            : S_ISDIR(status.st_mode)        ? EISDIR
                                             : EINVAL;

  if (fd >= 0)
    close(fd);
  if (!why)
    return COMMAND_OK;
  return session_fail(session, COMMAND_TARGET,
                      "cannot read the program %s: %s; check --exe", path,
                      strerror(why));
}

static enum command_status fill_target(struct session *session,
                                       const struct arguments *arguments) {
  if (arguments->core && arguments->pid != NO_PID)
    return session_fail(session, COMMAND_USAGE,
                        "give --core or --pid, not both");
  bool has_pid = arguments->pid != NO_PID;
  if (has_pid && (!arguments->pid || arguments->pid > INT32_MAX))
    return session_fail(session, COMMAND_USAGE,
                        "option -pid: there is no process %lu",
                        (unsigned long)arguments->pid);
  session->target.core = arguments->core;
  session->target.exe = arguments->exe;
  session->target.sysroot = arguments->sysroot;
  session->target.pid = has_pid ? (pid_t)arguments->pid : 0;
  session->target.threads =
      arguments->threads > 1024 ? 1024 : (unsigned)arguments->threads;
  return arguments->exe ? check_program(session, arguments->exe) : COMMAND_OK;
}

static int run_command(struct session *session,
                       const struct arguments *arguments, int argc,
                       char **argv) {
  struct display display = {.terminal = isatty(STDERR_FILENO)};
  const struct pyheap_progress progress = {&display, step};
  enum command_status status = fill_target(session, arguments);

  session->target.progress = &progress;
  session->terminal = &own_terminal;
  session->width = screen_width();
  catch_interrupt();
  session->ignore_index = arguments->no_index;
  if (status == COMMAND_OK)
    status = command_run(session, argc, argv);
  if (status == COMMAND_OK && arguments->save_index)
    status = saved_index_save(
        session, arguments->save_index == 1 ? SAVED_BESIDE : SAVED_CACHE,
        stderr);
  step(&display, "", 0, 0);
  session->target.progress = NULL;
  return complain(session, status);
}

/** A core file in the place of the command is one without its option. */
static bool is_bare_core(struct session *session, int count, char **words) {
  struct stat status;
  int used;

  return !command_find(session, count, words, &used) &&
         stat(words[0], &status) == 0 && S_ISREG(status.st_mode);
}

static int serve(struct session *session, const struct arguments *arguments) {
  uint64_t fd;

  if (!parse_count(arguments->gdb_socket, &fd) || fd > INT32_MAX)
    return complain(session, session_fail(session, COMMAND_USAGE,
                                          "option -gdb-socket: '%s' is no "
                                          "descriptor",
                                          arguments->gdb_socket));
  session->gdb = true;
  session->restarted = arguments->restarted;
  return server_main((int)fd, session);
}

static int run(struct session *session, int argc, char **argv) {
  struct command_option all[ALL_OPTIONS];
  struct arguments arguments = {.pid = NO_PID};
  size_t visible = sizeof options / sizeof *options - 1;
  int first;

  memcpy(all, options, sizeof options);
  memcpy(all + visible, internal_options, sizeof internal_options);
  all[ALL_OPTIONS - 1] = (struct command_option){0};
  argv[0] = "muppy";
  enum command_status status =
      options_parse_leading(session, all, argc, argv, &arguments, &first);
  if (status != COMMAND_OK)
    return complain(session, status);
  if (arguments.help && first < argc) {
    argv[--first] = "help";
    return run_command(session, &arguments, argc - first, argv + first);
  }
  if (arguments.help) {
    print_help(stdout, screen_width());
    return COMMAND_OK;
  }
  if (arguments.version) {
    puts(PACKAGE_STRING);
    return COMMAND_OK;
  }
  if (arguments.gdb_script)
    return gdb_script_write(stdout, arguments.reader, arguments.program);
  if (arguments.gdb_socket)
    return serve(session, &arguments);
  if (first == argc && argc == 1) {
    print_help(stderr, screen_width());
    return COMMAND_USAGE;
  }
  session->leading_options = options;
  if (first < argc && is_bare_core(session, argc - first, argv + first))
    return complain(session,
                    session_fail(session, COMMAND_USAGE,
                                 "'%s' is no command; a core file is given so: "
                                 "muppy --core=%s %s",
                                 argv[first], argv[first],
                                 first + 1 < argc ? argv[first + 1] : "info"));
  return run_command(session, &arguments, argc - first, argv + first);
}

int main(int argc, char **argv) {
  struct session session = {.out = stdout};
  int status = run(&session, argc, argv);

  tracks_destroy(session.tracks);
  session_close(&session);
  if (fflush(stdout) && status == COMMAND_OK) {
    perror("muppy: cannot write the answer");
    status = COMMAND_FAILED;
  }
  return status;
}
