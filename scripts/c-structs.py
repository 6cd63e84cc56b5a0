"""For gdb: declares anew, in C, the structs that only C files of CPython define, from the debug information of a build.

    gdb -nx -batch -x scripts/c-structs.py -ex "python write(HEADERS_OBJECT, FILES, NAMES)"

Compiled behind CPython's headers for another kind of build (Py_GIL_DISABLED) or for another data model, the declarations
have the places that the structs have in such a build: members are declared by the types that the headers know, else by C's
basic types. FILES and NAMES are lists in one string. Pointers become `void *`.
"""

import re

import gdb

# Members at their ends that only the other kind of build has, with the condition on which it has them.
EXTRA = {
    # Modules/socketmodule.h
    "PySocketSockObject": ("defined(MS_WINDOWS) && PY_VERSION_HEX >= 0x030e0000", "int quickack;"),
    # Modules/_asynciomodule.c
    "TaskObj": ("defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030e0000", "uintptr_t task_tid;"),
}


def known_types(headers):
    """The names by which the headers know types: typedefs but those of functions and arrays, and structs."""
    gdb.execute("file " + headers)
    known = set()
    for line in gdb.execute("info types", to_string=True).splitlines():
        found = re.match(r"(?:\d+:)?\s+(?:typedef .*?(\w+)|(struct \w+));$", line)
        if found:
            known.add(found.group(1) or found.group(2))
    return known


def find(name):
    for full in (name, "struct " + name):
        try:
            found = gdb.lookup_type(full)
        except gdb.error:
            continue
        if found.strip_typedefs().fields():
            return found
    return None


def declare(kind, name, known):
    """The declaration of a member of this type."""
    plain = kind.strip_typedefs().unqualified()
    kind = kind.unqualified()
    while kind.code == gdb.TYPE_CODE_TYPEDEF and kind.name not in known:
        kind = kind.target().unqualified()
    if plain.code == gdb.TYPE_CODE_ARRAY:
        first, last = plain.range()
        # The range of a flexible array is that of one with one element.
        count = "" if str(plain).endswith("[]") else last - first + 1
        return declare(plain.target(), "%s[%s]" % (name, count), known)
    if plain.code == gdb.TYPE_CODE_PTR:
        return "void *%s;" % name
    if kind.code == gdb.TYPE_CODE_TYPEDEF:
        return "%s %s;" % (kind.name, name)
    if plain.code in (gdb.TYPE_CODE_STRUCT, gdb.TYPE_CODE_UNION):
        if kind.name and "struct " + kind.name in known:
            return "struct %s %s;" % (kind.name, name)
        return "%s %s;" % (body(plain, known), name)
    if plain.code == gdb.TYPE_CODE_ENUM:
        return "unsigned int %s;" % name
    return "%s %s;" % (plain, name)


def body(kind, known):
    members = []
    for field in kind.fields():
        if field.bitsize:
            members.append("%s %s : %d;" % (field.type.strip_typedefs(), field.name, field.bitsize))
        else:
            members.append(declare(field.type, field.name or "", known))
    word = "struct" if kind.code == gdb.TYPE_CODE_STRUCT else "union"
    return "%s { %s }" % (word, " ".join(members))


def write(headers, files, names):
    known = known_types(headers)
    wanted = [name for name in names.split() if name not in known and "struct " + name not in known]
    for path in files.split():
        gdb.execute("file " + path)
        for name in list(wanted):
            found = find(name)
            if found:
                wanted.remove(name)
                declared = body(found.strip_typedefs(), known)
                if name in EXTRA:
                    declared = "%s\n#if %s\n%s\n#endif\n}" % (declared[:-1], *EXTRA[name])
                print("typedef %s %s; %s *unused_%s;" % (declared, name, name, name))
