package main

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/authsome/authsome/cmd/authsome/internal/guard"
)

// allCommands returns the program's commands by their paths, with hidden ones, groups,
// and those that cobra adds when a shell asks for completions.
func allCommands(root *cobra.Command) map[string]*cobra.Command {
	all := map[string]*cobra.Command{cobra.ShellCompRequestCmd: nil, cobra.ShellCompNoDescRequestCmd: nil}
	var walk func(*cobra.Command)
	walk = func(c *cobra.Command) {
		all[commandName(c)] = c
		for _, sub := range c.Commands() {
			walk(sub)
		}
	}
	walk(root)
	return all
}

// Every command and every global flag is either harmless or refused behind the proxy:
// the table has all of them and nothing else. The check is in one place, which no
// command replaces.
func TestEveryCommandIsHarmlessOrRefused(t *testing.T) {
	root := newRootCmd(newApp())
	all := allCommands(root)
	var paths, flags []string
	for path, cmd := range all {
		paths = append(paths, path)
		if cmd == nil {
			continue
		}
		if cmd != root && (cmd.PersistentPreRunE != nil || cmd.PersistentPreRun != nil) {
			t.Errorf("%s replaces the check of the root command", path)
		}
		if rule := guard.Command(path); rule.Flag != "" && (rule.Does == "" || cmd.Flags().Lookup(rule.Flag) == nil) {
			t.Errorf("%s: rule %+v", path, rule)
		}
	}
	root.PersistentFlags().VisitAll(func(f *pflag.Flag) { flags = append(flags, f.Name) })
	slices.Sort(paths)
	slices.Sort(flags)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(guard.Commands)), paths); diff != "" {
		t.Errorf("commands differ from their rules; decide whether a new one is harmless behind the proxy (-rules +commands):\n%s", diff)
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(guard.GlobalFlags)), flags); diff != "" {
		t.Errorf("global flags differ from their rules (-rules +flags):\n%s", diff)
	}
	if guard.Command("a new command").Does == "" || guard.GlobalFlag("new").Does == "" {
		t.Error("what has no rule is not refused")
	}
}

// A suggestion that an agent cannot follow is one for a person.
func TestSuggestedCommandsNeedAPerson(t *testing.T) {
	for line, want := range map[string]bool{
		"login openai --force": true, "login": true, "login --help": false, "logout openai": true, "default acme work, or else": true,
		"connection copy acme --to p": true, "connection": false, "vault restore FILE --force": true, "vault check": false,
		"get openai": false, "get openai --show-secret": true, "run --provider a=b -- COMMAND": true, "why https://login.test": false,
		"register FILE": true, "help": false, "list": false, "profile list": false, "profile use NAME": true, "": false, "nonsense": false,
	} {
		if got := guard.NeedsPerson(line); got != want {
			t.Errorf("%q needs a person: %v", line, got)
		}
	}
}

// refusedLines is a command line for each command that is refused behind the proxy, by
// the command's path. Each would do what it is refused for. FILES is a directory that
// the command may write to.
var refusedLines = map[string]string{
	"login":             "login resend --force --key-stdin --no-verify",
	"run":               "run -- true",
	"get":               "get resend --field api_key --show-secret",
	"export":            "export resend",
	"import":            "import --env --yes",
	"default":           "default resend work",
	"connection accept": "connection accept resend --yes",
	"connection copy":   "connection copy resend work --to other",
	"connection move":   "connection move resend work --to other --as moved",
	"connection prefer": "connection prefer resend --connection work",
	"logout":            "logout resend --connection work",
	"revoke":            "revoke resend",
	"remove":            "remove resend",
	"register":          "register FILES/acme.json --yes --force",
	"doctor":            "doctor --report FILES/report.md",
	"proxy":             "proxy --listen 127.0.0.1:0 --ca-out FILES/none/ca.pem",
	"ca rotate":         "ca rotate --yes",
	"profile create":    "profile create new",
	"profile use":       "profile use other",
	"profile delete":    "profile delete other --yes",
	"vault backup":      "vault backup FILES/backup.age --passphrase-file FILES/passphrase",
	"vault restore":     "vault restore FILES/acme.json --passphrase-file FILES/passphrase --force",
	"key rotate":        "key rotate",
	"key mode":          "key mode file --file FILES/key",
	"init":              "init",
}

// refusedFlags is the same for global flags.
var refusedFlags = map[string]string{"log-file": "list --log-file FILES/log"}

// Each command and flag that is refused has a line, so that it is tried.
func TestEveryRefusalIsTried(t *testing.T) {
	for path, rule := range guard.Commands {
		line := refusedLines[path]
		if (rule.Does != "") != (line != "") || line != "" && !strings.HasPrefix(line, path+" ") && line != path {
			t.Errorf("%s: rule %+v, line %q", path, rule, line)
		}
	}
	for name, rule := range guard.GlobalFlags {
		if line := refusedFlags[name]; (rule.Does != "") != strings.Contains(line, " --"+name+" ") {
			t.Errorf("--%s: rule %+v, line %q", name, rule, line)
		}
	}
}
