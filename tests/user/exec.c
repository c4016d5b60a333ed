/* SPDX-License-Identifier: MIT */
/* Proves: execve() passes on what Linux passes on, whatever the file's first line or header
 * says. */
#include <elf.h>
#include <fcntl.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "test.h"

#define RUNNER   "/tests/runner"
#define REPORT   "EXEC_REPORT=1"
#define SCRIPT   "/tmp/script"
#define PROGRAM  "/tmp/program"
#define ARGS_MAX 1100

extern char **environ;

/* ---- A program that prints what it was given ---------------------------- */

/* With EXEC_REPORT in its environment the runner prints the path that execve() was given, its own
 * absolute path and its arguments, and ends. argv lies below the environment: a count, that many
 * pointers, a NULL. */
__attribute__((constructor)) static void report(void)
{
    char exe[256] = "";
    long argc = 0;
    if (!getenv("EXEC_REPORT"))
        return;
    while ((long)environ[-2 - argc] != argc)
        argc++;
    (void)!readlink("/proc/self/exe", exe, sizeof(exe) - 1);
    printf("%s %s %ld", (char *)getauxval(AT_EXECFN), exe, argc);
    for (long i = 0; i < argc && i < 8; i++)
        printf(" [%s]", environ[-1 - argc + i]);
    fflush(stdout);
    _exit(0);
}

/* What path prints when run from folder, or the errno of execve(). */
static const char *saw(const char *folder, const char *path, char *const argv[])
{
    static char *const environment[] = { REPORT, NULL };
    static char text[512];
    int ends[2], status;
    memset(text, 0, sizeof(text));
    CHECK(pipe(ends) == 0);
    int child = fork();
    if (child == 0) {
        dup2(ends[1], 1);
        CHECK(chdir(folder) == 0);
        syscall(SYS_execve, path, argv, environment);
        printf("errno %d", errno);
        fflush(stdout);
        _exit(0);
    }
    close(ends[1]);
    for (size_t len = 0; len < sizeof(text) - 1;) {
        ssize_t got = read(ends[0], text + len, sizeof(text) - 1 - len);
        if (got <= 0)
            break;
        len += (size_t)got;
    }
    close(ends[0]);
    waitpid(child, &status, 0);
    return text;
}

static void check_text(const char *got, const char *want)
{
    if (strcmp(got, want) != 0)
        printf("    # expect \"%s\", saw \"%s\"\n", want, got);
    CHECK(strcmp(got, want) == 0);
}

static void file_make(const char *path, const void *bytes, size_t len)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    CHECK(fd >= 0 && write(fd, bytes, len) == (ssize_t)len && close(fd) == 0);
}

/* ---- Arguments ---------------------------------------------------------- */

TEST(exec_without_argv_gives_one_empty_argument, "")
{
    static char *const none[] = { NULL };
    check_text(saw("/", RUNNER, NULL), RUNNER " " RUNNER " 1 []");
    check_text(saw("/", RUNNER, none), RUNNER " " RUNNER " 1 []");
}

TEST(exec_takes_more_than_1024_arguments, "")
{
    static char *many[ARGS_MAX + 1];
    for (int i = 0; i < ARGS_MAX; i++)
        many[i] = "x";
    check_text(saw("/", RUNNER, many), RUNNER " " RUNNER " 1100 [x] [x] [x] [x] [x] [x] [x] [x]");
}

TEST(exec_refuses_arguments_too_long_for_the_stack, "")
{
    char *huge = malloc(140000);
    memset(huge, 'x', 139999);
    huge[139999] = 0;
    char *const argv[] = { "x", huge, NULL };
    check_text(saw("/", RUNNER, argv), "errno 7");
    free(huge);
}

TEST(proc_shows_the_absolute_path_of_a_relative_exec, "")
{
    static char *const argv[] = { "r", NULL };
    check_text(saw("/tests", "./runner", argv), "./runner " RUNNER " 1 [r]");
    check_text(saw("/", "tests/../tests/runner", argv), "tests/../tests/runner " RUNNER " 1 [r]");
}

/* ---- Scripts ------------------------------------------------------------ */

/* What a script that begins with line is given when it is run with one argument. */
static const char *script_saw(const char *line)
{
    static char *const argv[] = { "zero", "one", NULL };
    file_make(SCRIPT, line, strlen(line));
    const char *text = saw("/", SCRIPT, argv);
    unlink(SCRIPT);
    return text;
}

#define SCRIPT_GIVES SCRIPT " " RUNNER " "

TEST(a_scripts_first_line_may_hold_tabs_and_blanks, "")
{
    check_text(script_saw("#!" RUNNER "\n"), SCRIPT_GIVES "3 [" RUNNER "] [" SCRIPT "] [one]");
    check_text(script_saw("#!\t" RUNNER "\n"), SCRIPT_GIVES "3 [" RUNNER "] [" SCRIPT "] [one]");
    check_text(script_saw("#! " RUNNER "\t-e\n"),
               SCRIPT_GIVES "4 [" RUNNER "] [-e] [" SCRIPT "] [one]");
    check_text(script_saw("#!" RUNNER " a b \t\n"),
               SCRIPT_GIVES "4 [" RUNNER "] [a b] [" SCRIPT "] [one]");
}

TEST(a_scripts_first_line_needs_no_newline, "")
{
    check_text(script_saw("#!" RUNNER), SCRIPT_GIVES "3 [" RUNNER "] [" SCRIPT "] [one]");
    check_text(script_saw("#!" RUNNER " -e"),
               SCRIPT_GIVES "4 [" RUNNER "] [-e] [" SCRIPT "] [one]");
    check_text(script_saw("#! \t\nx"), "errno 8");
    penumbra_only(); /* Linux opens the empty name: EACCES */
    check_text(script_saw("#!"), "errno 8");
}

TEST(a_scripts_interpreter_is_not_cut, "")
{
    char line[400];
    memset(line, '/', sizeof(line));
    memcpy(line, "#!", 2);
    memcpy(line + sizeof(line) - 15, "tests/runner\n", 14);
    check_text(script_saw(line), "errno 8");
}

/* ---- ELF headers -------------------------------------------------------- */

/* A program of one page: the headers, and behind them code that exits with status 7. */
#define PROGRAM_HEADERS (sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr))

static struct {
    Elf64_Ehdr header;
    Elf64_Phdr segment;
    unsigned char code[16];
} program = {
    .header = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                .e_type = ET_EXEC,
                .e_machine = EM_X86_64,
                .e_version = EV_CURRENT,
                .e_phoff = sizeof(Elf64_Ehdr),
                .e_ehsize = sizeof(Elf64_Ehdr),
                .e_phentsize = sizeof(Elf64_Phdr),
                .e_phnum = 1 },
    .segment = { .p_type = PT_LOAD, .p_flags = PF_R | PF_X, .p_vaddr = 0x400000 },
    /* mov edi, 7; mov eax, 60; syscall */
    .code = { 0xbf, 7, 0, 0, 0, 0xb8, 60, 0, 0, 0, 0x0f, 0x05 },
};

/* The program's wait status when it starts at entry; 0 means the address of its code. */
static int program_status(uint64_t entry)
{
    int status;
    program.segment.p_filesz = program.segment.p_memsz = sizeof(program);
    program.header.e_entry = entry ? entry : 0x400000 + PROGRAM_HEADERS;
    file_make(PROGRAM, &program, sizeof(program));
    int child = fork();
    if (child == 0) {
        execl(PROGRAM, PROGRAM, (char *)NULL);
        _exit(errno);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    unlink(PROGRAM);
    return status;
}

TEST(an_entry_point_outside_user_space_ends_the_program_alone, "")
{
    CHECK_EQ(WEXITSTATUS(program_status(0)), 7);
    CHECK_EQ(program_status(0x0000800000000000), SIGSEGV);
    CHECK_EQ(program_status(0x8000000000000000), SIGSEGV);
    CHECK_EQ(program_status(0xffffffff80000000), SIGSEGV);
    CHECK_EQ(program_status(0x00007fffffffffff), SIGSEGV);
}

TEST(a_segment_that_makes_no_sense_is_refused, "")
{
    penumbra_only(); /* Linux sees it when the old program is gone: SIGSEGV */
    program.segment.p_vaddr = 0x00007ffffffff000;
    CHECK_EQ(WEXITSTATUS(program_status(0)), ENOEXEC);
    program.segment.p_vaddr = 0xfffffffffffff000;
    CHECK_EQ(WEXITSTATUS(program_status(0)), ENOEXEC);
    program.segment.p_vaddr = 0x400008;
    CHECK_EQ(WEXITSTATUS(program_status(0)), ENOEXEC);
    program.segment.p_vaddr = 0x400000;
    program.header.e_phoff = 0xfffffffffffffff0;
    CHECK_EQ(WEXITSTATUS(program_status(0)), ENOEXEC);
}
