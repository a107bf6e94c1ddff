/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "config.h"

#include "command.h"

#include <stdlib.h>
#include <string.h>

#include "plugin/commands/commands.h"
#include "plugin/session.h"
#include "plugin/type_match.h"

enum {
  PREFIX = 32, /**< Bytes for a command's name. */
};

static const struct command track_commands[] = {
    {
        .prefix = "track",
        .name = "start",
        .operands = "",
        .brief = "Remember the objects that there are now, to compare with.",
        .help =
            "What was remembered before is forgotten.  The numbers are the\n"
            "debuggee's alone: nothing runs in it, and nothing is added.\n"
            "\n"
            "Example:\n"
            "  muppy track start\n"
            "  continue\n"
            "  muppy track diff",
        .options = track_start_options,
        .run = track_start_run,
    },
    {
        .prefix = "track",
        .name = "diff",
        .operands = "[NAME [NAME]]",
        .brief = "Tell what changed since the last diff, or since the start.",
        .help =
            "With the NAME of a moment that track store remembered, tells what\n"
            "changed since then, and with two of them, what changed between\n"
            "these.  \"start\" is the moment of track start, and \"last\" that "
            "of\n"
            "the last diff with what is now.  -objects lists every object that\n"
            "is new, gone, or has another size, as muppy diff does.\n"
            "\n"
            "Examples:\n"
            "  muppy track diff\n"
            "  muppy track diff -objects -type app.models.Session\n"
            "  muppy track diff start",
        .options = track_diff_options,
        .run = track_diff_run,
    },
    {
        .prefix = "track",
        .name = "store",
        .operands = "NAME",
        .brief = "Remember the objects that there are now under a name.",
        .help = "Example:\n"
                "  muppy track store before-upload",
        .options = track_store_options,
        .run = track_store_run,
    },
    {
        .prefix = "track",
        .name = "list",
        .operands = "",
        .brief = "List the moments that are remembered.",
        .help = "Memory is what a moment takes in the helper program.\n"
                "\n"
                "Example:\n"
                "  muppy track list",
        .options = track_list_options,
        .run = track_list_run,
    },
    {
        .prefix = "track",
        .name = "delete",
        .operands = "NAME...",
        .brief = "Forget moments that track store remembered.",
        .help = "Example:\n"
                "  muppy track delete before-upload",
        .options = track_delete_options,
        .run = track_delete_run,
    },
    {
        .prefix = "track",
        .name = "stop",
        .operands = "",
        .brief = "Forget all moments, and give their memory back.",
        .help = "Example:\n"
                "  muppy track stop",
        .options = track_stop_options,
        .run = track_stop_run,
    },
    {0},
};

const struct command commands[] = {
    {
        .name = "info",
        .operands = "",
        .brief = "Tell what was found: interpreter, objects, gaps.",
        .help =
            "Shows the version of the interpreter and how it was recognised,\n"
            "how many objects there are and how many bytes they take, and how\n"
            "far their reference counts are explained by the references that\n"
            "were found.  What could not be read is listed with its address.\n"
            "\n"
            "\"tracked\" are the objects of the garbage collector's lists;\n"
            "\"reachable\" are all that one gets to from those and from the\n"
            "interpreter itself: strings and numbers as well.",
        .options = info_options,
        .run = info_run,
    },
    {
        .name = "summary",
        .operands = "",
        .brief = "Count the objects by type, largest total first.",
        .help =
            "Counts every object that can be reached, strings and numbers\n"
            "included; -tracked counts what gc.get_objects() would return.\n"
            "Objects are selected as in muppy objects.\n"
            "Sizes are those of sys.getsizeof().  Types of one name are one\n"
            "line, and ties are ordered by name.\n"
            "\n"
            "Example:\n"
            "  muppy summary -sort count -limit 10",
        .options = summary_options,
        .run = summary_run,
    },
    {
        .name = "objects",
        .operands = "[TYPE]",
        .brief = "List objects, the largest first, or count them.",
        .help =
            "Without options every object that can be reached is meant.  TYPE "
            "is\n"
            "a name with or without what comes before its dots (User,\n"
            "models.User, app.models.User), and may hold * and ?; objects of\n"
            "subclasses are included.  All that is given must be true of an\n"
            "object.  -min, -max and the like are inclusive; sizes are in "
            "bytes\n"
            "of sys.getsizeof().\n"
            "A size such as 232+ is of a damaged object, whose own sizes\n"
            "cannot be true: it is the least that it has.\n"
            "Running functions are no objects from Python 3.11 on: -frames "
            "lists\n"
            "them.\n"
            "\n"
            "Examples:\n"
            "  muppy objects -module app -min 1k\n"
            "  muppy objects list -min-length 100000 -sort length\n"
            "  muppy objects -generation 2 -max-refcount 1 -count\n"
            "  muppy objects dict -untracked -addresses -output dicts.txt",
        .options = objects_options,
        .run = objects_run,
    },
    {
        .name = "filter",
        .operands = "TYPE",
        .brief = "List the objects of a type: muppy objects TYPE.",
        .help = "The name that Pympler gives it; see muppy help objects.\n"
                "\n"
                "Examples:\n"
                "  muppy filter dict -min 1k\n"
                "  muppy filter '*Error' -sort refcount -limit unlimited",
        .options = filter_options,
        .run = filter_run,
    },
    {
        .name = "refs",
        .operands = "ADDRESS",
        .brief = "Draw the tree of what refers to an object.",
        .help =
            "Each node is a referrer of the one it hangs on, with the names "
            "of\n"
            "the references between the two: ['sessions'] in dict 0x...,\n"
            ".cache of app.Store 0x..., local req in frame handler.\n"
            "What is on its own path already is marked as a cycle and not\n"
            "followed.  (… N referrers) stands behind nodes at the -depth.\n"
            "A ? behind a name says that the reference is probable only: in\n"
            "memory of unknown layout something looks like one, or a frame's\n"
            "stack may end before it.\n"
            "\n"
            "Example:\n"
            "  muppy refs 0x7f3c5a2b1c40 -depth 5",
        .options = refs_options,
        .run = refs_run,
    },
    {
        .name = "browse",
        .operands = "[ADDRESS]",
        .brief = "Look around in the heap, on the whole screen.",
        .help =
            "Shows what refers to the object at ADDRESS as a tree that opens a\n"
            "row at a time: Enter or a click on + opens one, i tells all about\n"
            "the object, r turns to what it refers to, g goes to an address,\n"
            "/ searches, b goes back, ? shows all keys, q leaves.\n"
            "Without an ADDRESS it begins with the types, each of which opens\n"
            "to its objects, and with the roots of the heap.\n"
            "\n"
            "Example:\n"
            "  muppy browse 0x7f3c5a2b1c40",
        .options = browse_options,
        .run = browse_run,
    },
    {
        .name = "object",
        .operands = "ADDRESS",
        .brief = "Show one object: type, size, value, items.",
        .help =
            "Attributes include those of the instance's __dict__.  The number\n"
            "of references that were found is compared with the object's own\n"
            "count: what is missing is held by code that is not Python's.\n"
            "Of a damaged object, whose sizes contradict each other, the size\n"
            "is the least that it has, and the length what it says.\n"
            "\n"
            "Example:\n"
            "  muppy object 0x7f3c5a2b1c40",
        .options = object_options,
        .run = object_run,
    },
    {
        .name = "referents",
        .operands = "ADDRESS",
        .brief = "Show what an object refers to, by name.",
        .help =
            "References are what gc.get_referents() returns, and, marked as\n"
            "owned, the others that keep objects alive.  Probable ones were\n"
            "guessed from the memory of an object of an unknown layout.\n"
            "\n"
            "Example:\n"
            "  muppy referents 0x7f3c5a2b1c40 -level 2",
        .options = referents_options,
        .run = referents_run,
    },
    {
        .name = "sizeof",
        .operands = "ADDRESS...",
        .brief = "Measure an object with all that it leads to.",
        .help =
            "Shows the size of the object itself (as sys.getsizeof()), of all\n"
            "that one gets to from it, and of the part that only it holds: what\n"
            "would be freed if it went away.  Every reference that keeps an\n"
            "object alive is followed, but for those to types, modules and\n"
            "their namespaces, code objects and the frames of running\n"
            "functions, which lead to the whole program; -code follows these,\n"
            "too, and so does retained in any case.  What is asked about is\n"
            "always followed.\n"
            "Several addresses are measured one by one, and together, where\n"
            "what they share counts once.\n"
            "With -detail, below each object are its parts, largest first, and\n"
            "what one gets to by way of each alone; what more than one of them\n"
            "leads to has a row of its own, so that all add up.\n"
            "\n"
            "Examples:\n"
            "  muppy sizeof 0x7f3c5a2b1c40 -detail 2\n"
            "  muppy sizeof 0x7f3c5a2b1c40 0x7f3c5a2b1d00",
        .options = sizeof_options,
        .run = sizeof_run,
    },
    {
        .name = "retained",
        .operands = "[ADDRESS]",
        .brief = "Tell which objects hold the memory, each alone.",
        .help =
            "An object holds another alone when every way to it goes through\n"
            "it: if the one went away, the other would be freed.  So each\n"
            "object has its place below the one that holds it, and the sizes\n"
            "below an object are parts of its own.  Unlike sizeof without -code,\n"
            "this counts what types, modules and code hold, too.\n"
            "Objects of one type at one place are one row, which names the one\n"
            "that is most of it.  In the uppermost rows is what no single object\n"
            "holds: roots such as running frames, objects that several of them\n"
            "refer to, and such that C code holds.  What nothing holds, garbage\n"
            "and orphans, is counted below.\n"
            "With ADDRESS, below that object, and what holds it itself.\n"
            "\n"
            "Examples:\n"
            "  muppy retained -depth 6\n"
            "  muppy retained 0x7f3c5a2b1c40",
        .options = retained_options,
        .run = retained_run,
    },
    {
        .name = "cycles",
        .operands = "[ADDRESS]",
        .brief = "Find reference cycles and uncollected garbage.",
        .help =
            "Lists the groups of objects each of which leads to all the others,\n"
            "with a shortest cycle of each.  Groups of as many objects of the\n"
            "same types are shown by one of them, the largest.  First come those\n"
            "that are garbage: nothing refers to them but garbage, and a\n"
            "collection would free them; then the others by size.  Garbage that\n"
            "no collection is going to look at waits as long as the program runs\n"
            "with gc.disable() or after gc.freeze().\n"
            "With ADDRESS, the shortest cycles through that object are drawn, one\n"
            "for each object that it refers to, shortest first.\n"
            "Cycles through types, modules and their namespaces, code objects\n"
            "and running frames, in which nearly everything is, are left out but\n"
            "for garbage; -code shows them.  Options that select objects list\n"
            "the groups that hold one of these.\n"
            "\n"
            "Examples:\n"
            "  muppy cycles -garbage\n"
            "  muppy cycles -type app.models.Node -limit 3\n"
            "  muppy cycles 0x7f3c5a2b1c40",
        .options = cycles_options,
        .run = cycles_run,
    },
    {
        .name = "export",
        .operands = "",
        .brief = "Write objects with their references to a file.",
        .help =
            "Without options every object is written; they are selected as in\n"
            "muppy objects.\n"
            "The file holds a line for each object, ordered by address:\n"
            "  "
            "{\"address\":\"0x...\",\"type\":\"dict\",\"size\":64,\"refcount\":"
            "1,\n"
            "   "
            "\"tracked\":true,\"referents\":[\"0x...\"],\"owned\":[\"0x...\"]}"
            "\n"
            "\"referents\" are what gc.get_referents() returns, repetitions\n"
            "included; \"owned\" are all other references, and \"probable\", "
            "where\n"
            "it is there, those guessed in objects of an unknown layout.\n"
            "A refcount of -1 is an immortal object's.\n"
            "\n"
            "Example:\n"
            "  muppy export -output heap.jsonl",
        .options = export_options,
        .run = export_run,
    },
    {
        .name = "save",
        .operands = "FILE",
        .brief = "Save a snapshot of every object, for diff.",
        .help =
            "The snapshot holds address, type, size and reference count of\n"
            "every object and what refers to it, but no values, and of which\n"
            "process it is.  It is compact: ten to twenty bytes an object.\n"
            "\n"
            "Example:\n"
            "  muppy save monday.muppy",
        .options = save_options,
        .run = save_run,
    },
    {
        .name = "diff",
        .operands = "FILE [FILE]",
        .brief = "Tell what changed since a snapshot, or between two.",
        .help =
            "Each FILE is a snapshot (see muppy save) or a core file.  One is\n"
            "compared with the program that is being looked at, two are\n"
            "compared with each other.  The table has what there is more, or\n"
            "less, of each type.\n"
            "\n"
            "Two moments of one process are compared object by object: what\n"
            "has the same address and type is the same object, for objects do\n"
            "not move.  A str, bytes, int, float or tuple is another one when\n"
            "its value is another, and so is an object of another type.\n"
            "-objects lists which ones are new, gone, grown or shrunk.  Two\n"
            "processes are compared by type only; the answer says so.\n"
            "\n"
            "Examples:\n"
            "  muppy diff monday.muppy\n"
            "  muppy diff monday.muppy tuesday.core -objects",
        .options = diff_options,
        .run = diff_run,
    },
    {
        .name = "track",
        .operands = "",
        .brief = "Follow how the objects change while the program runs.",
        .help =
            "Moments are remembered by the helper program of this gdb, as long\n"
            "as that lives; muppy save keeps one for longer.",
        .subcommands = track_commands,
    },
    {
        .name = "save-index",
        .operands = "",
        .brief = "Save what was found in a core, for the next session.",
        .help =
            "Writes every object and who refers to it to a file beside the core,\n"
            "CORE.muppy-index, or in your cache folder.  Whoever opens the same\n"
            "core next need not wait for that to be found again: commands take\n"
            "the file by themselves.  It is not used when the core, the program,\n"
            "its libraries or muppy changed, nor when it is damaged; delete it as\n"
            "you like.\n"
            "\n"
            "Example:\n"
            "  muppy save-index -cache",
        .options = save_index_options,
        .run = save_index_run,
    },
    {
        .name = "help",
        .operands = "[COMMAND]",
        .brief = "List the commands, or tell about one of them.",
        .help = "Example:\n"
                "  muppy help summary",
        .options = help_options,
        .run = help_run,
    },
    {0},
};

/** The row of TABLE that NAME is or begins.  BEFORE is what stands before the
 * name in messages: "track " for its subcommands. */
static const struct command *find_in(struct session *session,
                                     const struct command *table,
                                     const char *before, const char *name) {
  const struct command *found = NULL, *nearest = NULL;
  size_t length = strlen(name), distance = 3;
  bool several = false;

  for (const struct command *command = table; command->name; command++) {
    if (strcmp(command->name, name) == 0)
      return command;
    size_t edits = edit_distance(name, command->name, 2);
    if (edits < distance) {
      distance = edits;
      nearest = command;
    }
    if (!length || strncmp(command->name, name, length) != 0)
      continue;
    several |= found != NULL;
    found = command;
  }
  if (found && !several)
    return found;
  /* Of "track " without its blank. */
  const char *see = *before ? " " : "";
  int see_length = *before ? (int)strlen(before) - 1 : 0;
  if (several)
    session_fail(session, COMMAND_USAGE,
                 "'%s%s' is the start of more than one command; see muppy "
                 "help%s%.*s",
                 before, name, see, see_length, before);
  else if (nearest)
    session_fail(session, COMMAND_USAGE,
                 "there is no command '%s%s'; did you mean '%s%s'?", before,
                 name, before, nearest->name);
  else
    session_fail(session, COMMAND_USAGE,
                 "there is no command '%s%s'; see muppy help%s%.*s", before,
                 name, see, see_length, before);
  return NULL;
}

const struct command *command_find(struct session *session, int count,
                                   char **words, int *used) {
  const struct command *command = find_in(session, commands, "", words[0]);
  char before[PREFIX];

  *used = 1;
  if (!command || !command->subcommands || count < 2 || words[1][0] == '-')
    return command;
  *used = 2;
  snprintf(before, sizeof before, "%s ", command->name);
  return find_in(session, command->subcommands, before, words[1]);
}

/** Whether help is asked for, in any of its spellings. */
static bool asks_help(int argc, char **argv) {
  for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
    if (strcmp(argv[i], "-help") == 0 || strcmp(argv[i], "--help") == 0 ||
        strcmp(argv[i], "-h") == 0)
      return true;
  return false;
}

/** An answer that may leave something out says so; on the command line apart
 * from the answer, which may be data. */
static void say_incomplete(struct session *session) {
  if (!session->heap)
    return;
  const struct pyheap_info *info = pyheap_info(session->heap);
  if (info->incomplete)
    fputs("muppy: incomplete: memory is missing or damaged; muppy info tells "
          "which\n",
          session->gdb ? session->out : stderr);
}

/** A prefix is no command by itself. */
static enum command_status refuse_prefix(struct session *session,
                                         const struct command *command) {
  cleanup_buffer struct buffer names = {0};

  for (const struct command *row = command->subcommands; row->name; row++)
    buffer_format(&names, "%s%s", names.length ? ", " : "", row->name);
  return session_fail(session, COMMAND_USAGE,
                      "%s: which of %s? See muppy help %s", command->name,
                      buffer_string(&names), command->name);
}

enum command_status command_run(struct session *session, int argc,
                                char **argv) {
  free(session->message);
  session->message = NULL;
  free(session->evaluate);
  session->evaluate = NULL;
  session->evaluated_used = 0;
  if (argc < 1)
    return session_fail(session, COMMAND_USAGE,
                        "which command? See muppy help");
  int used;
  const struct command *command = command_find(session, argc, argv, &used);
  if (!command)
    return COMMAND_USAGE;
  if (asks_help(argc, argv)) {
    help_command(session->out, command, session->gdb);
    return COMMAND_OK;
  }
  if (command->subcommands)
    return refuse_prefix(session, command);
  /* Messages name the command in full. */
  char name[2 * PREFIX];
  snprintf(name, sizeof name, "%s%s%s", command->prefix ? command->prefix : "",
           command->prefix ? " " : "", command->name);
  argv += used - 1;
  argv[0] = name;
  enum command_status status = command->run(session, argc - used + 1, argv);
  if (status == COMMAND_OK && command->run != info_run)
    say_incomplete(session);
  return status;
}
