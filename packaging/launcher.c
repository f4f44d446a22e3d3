/* The binary: CPython, linked in statically, and behind it in the same file a zip with everything else.
 *
 * Nothing is unpacked and no second process is started. Python reads its modules out of the zip, which it finds
 * through /proc/self/exe: that link leads to this very file, even when an upgrade has put another in its place.
 *
 * What is left to do here: see that the file is whole, tell Python where it is, and lend it dlopen(), because the
 * extension modules need shared libraries that have no place in the file system. boot.py does the rest.
 */

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SELF "/proc/self/exe"
#define PROGRAM "import sys; from aibridge_trio.__main__ import main; sys.exit(main())"

/* What a zip without a comment ends with, and how it begins. */
#define END_OF_ZIP_SIZE 22
#define END_OF_ZIP "PK\5\6"

static int fail(const char *what, const char *remedy)
{
    fprintf(stderr, "aibridge: %s; %s\n", what, remedy);
    return 1;
}

/* Python without its modules dies with a page about codecs; half a file or a missing /proc deserves a sentence. */
static int check_self(void)
{
    char end[END_OF_ZIP_SIZE];
    int file = open(SELF, O_RDONLY | O_CLOEXEC);
    if (file < 0 && errno == ENOENT)
        return fail("/proc is not mounted", "mount it, because this program reads itself through " SELF);
    if (file < 0)
        return fail("cannot read its own file", strerror(errno));
    int whole = lseek(file, -END_OF_ZIP_SIZE, SEEK_END) >= 0 && read(file, end, sizeof end) == sizeof end
        && memcmp(end, END_OF_ZIP, strlen(END_OF_ZIP)) == 0;
    close(file);
    return whole ? 0 : fail("this file is not whole", "get it again");
}

/* load(path): bring in a shared library. The linker then takes it for whoever needs one of that name. */
static PyObject *load(PyObject *module, PyObject *path)
{
    (void)module;
    const char *name = PyUnicode_AsUTF8(path);
    if (name && !dlopen(name, RTLD_NOW | RTLD_LOCAL))
        PyErr_SetString(PyExc_ImportError, dlerror());
    if (PyErr_Occurred())
        return NULL;
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {{"load", load, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, .m_name = "aibridge_launcher", .m_size = -1, .m_methods = methods,
};

static PyObject *create_module(void)
{
    return PyModule_Create(&definition);
}

static PyStatus start(int argc, char **argv)
{
    PyStatus status;
    PyPreConfig early;
    PyConfig config;

    /* Locale and UTF-8 mode are as in any Python. But no other Python on this machine has a say, by PYTHONPATH,
     * PYTHONHOME or a user's site-packages, and no argument is Python's own. */
    PyPreConfig_InitPythonConfig(&early);
    early.isolated = 1;
    early.use_environment = 0;
    early.parse_argv = 0;
    status = Py_PreInitialize(&early);
    if (PyStatus_Exception(status))
        return status;

    PyConfig_InitPythonConfig(&config);
    config.isolated = 1;
    config.use_environment = 0;
    config.user_site_directory = 0;
    config.parse_argv = 0;
    config.site_import = 0;
    config.write_bytecode = 0;
    config.pathconfig_warnings = 0;
    config.module_search_paths_set = 1;

    /* With a home, Python does not look beside the binary for aibridge._pth, pyvenv.cfg and pybuilddir.txt: what lies
     * there, say in /tmp, may be anybody's. */
    wchar_t **places[] = {
        &config.home, &config.program_name, &config.executable, &config.base_executable, &config.prefix,
        &config.base_prefix, &config.exec_prefix, &config.base_exec_prefix, &config.stdlib_dir,
    };
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        status = PyConfig_SetBytesString(&config, places[i], SELF);
        if (PyStatus_Exception(status))
            goto done;
    }
    status = PyWideStringList_Append(&config.module_search_paths, L"" SELF);
    if (PyStatus_Exception(status))
        goto done;
    status = PyConfig_SetBytesString(&config, &config.run_command, PROGRAM);
    if (PyStatus_Exception(status))
        goto done;
    status = PyConfig_SetBytesArgv(&config, argc, argv);
    if (PyStatus_Exception(status))
        goto done;
    status = Py_InitializeFromConfig(&config);
done:
    PyConfig_Clear(&config);
    return status;
}

int main(int argc, char **argv)
{
    if (check_self() != 0)
        return 1;
    if (PyImport_AppendInittab(definition.m_name, create_module) < 0)
        return fail("out of memory", "free some");
    PyStatus status = start(argc, argv);
    if (PyStatus_Exception(status))
        return fail("Python does not start", status.err_msg ? status.err_msg : "it does not say why");
    /* Apart from the program, because from 3.13 on Python itself imports something before it runs that. */
    if (!PyImport_ImportModule("aibridge_boot")) {
        PyErr_Print();
        return 1;
    }
    return Py_RunMain();
}
