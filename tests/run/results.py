# SPDX-License-Identifier: MIT
"""Summing up what suites print as KTAP."""
import re

LINE = re.compile(
    r"^(?P<indent>\s*)(?P<not>not )?ok (?P<number>\d+)(?: - | )?(?P<name>.*?)"
    r"(?:\s*# SKIP ?(?P<reason>.*))?$"
)
PLAN = re.compile(r"^\s*1\.\.(\d+)")
# KTAP's plan for nothing: the suite has no test of the name that was asked for.
NOTHING = re.compile(r"^\s*1\.\.0$", re.M)


class Totals:
    def __init__(self):
        self.passed, self.failed, self.skipped = 0, 0, 0
        self.reasons = {}

    def fail(self, suite, name, detail=()):
        self.failed += 1
        print(f"FAIL {suite}: {name}")
        for line in list(detail)[-20:]:
            print("     " + line)

    def take(self, suite, text, status, key=""):
        """Count one suite's KTAP, or of it the results that key is part of. Other lines belong to
        the next result, as diagnostics."""
        plan, seen, pending, failed_before = None, 0, [], self.failed
        for line in text.splitlines():
            if plan is None and PLAN.match(line):
                plan = int(PLAN.match(line).group(1))
            match = LINE.match(line)
            if not match:
                pending.append(line)
                continue
            seen += 1
            if key in match.group("name"):
                self.count(suite, match, pending)
            pending = []
        if plan is None:
            self.fail(suite, "printed no plan", text.splitlines())
        elif seen != plan:
            self.fail(suite, f"planned {plan} results, printed {seen}", text.splitlines()[-8:])
        elif status and self.failed == failed_before:
            self.fail(suite, f"ended with status {status}", text.splitlines()[-8:])

    def count(self, suite, match, diagnostics):
        name, reason = match.group("name"), match.group("reason")
        if match.group("not"):
            self.fail(suite, name, diagnostics)
        elif reason is not None:
            self.skipped += 1
            self.reasons.setdefault(reason, []).append(f"{suite}: {name}")
        else:
            self.passed += 1

    def seen(self):
        return self.passed + self.failed + self.skipped

    def summary(self):
        for reason, tests in self.reasons.items():
            print(f"SKIP {len(tests)} tests: {reason}")
        print(f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped")
