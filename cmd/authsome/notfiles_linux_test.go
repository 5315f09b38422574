package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// notFile is something in the place of a file, and how a message describes it.
type notFile struct {
	name, described string
	make            func(t *testing.T, path string)
}

// notFiles are a pipe without another end, an endless device, and others. The huge
// file has no blocks on the disk.
var notFiles = []notFile{
	{"pipe", "a named pipe", func(t *testing.T, path string) { must(t, syscall.Mkfifo(path, 0o600)) }},
	{"device", "a device", func(t *testing.T, path string) { must(t, os.Symlink("/dev/zero", path)) }},
	{"directory", "a directory", func(t *testing.T, path string) { must(t, os.Mkdir(path, 0o700)) }},
	{"socket", "a socket", func(t *testing.T, path string) { must(t, syscall.Mknod(path, syscall.S_IFSOCK|0o600, 0)) }},
	{"huge", "larger than", func(t *testing.T, path string) {
		must(t, os.WriteFile(path, nil, 0o600))
		must(t, os.Truncate(path, 8<<30))
	}},
}

// maxMemory is more than a command needs, and less than it reads of an endless file, in
// KiB.
const maxMemory = 1 << 20

// runBriefly runs a line of shell with the program, which must end by itself, with
// little memory, and returns what it printed.
func runBriefly(t *testing.T, b *bench, line string) (out string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-c", line)
	cmd.Env, cmd.WaitDelay = b.command().Env, time.Second
	text, err := cmd.CombinedOutput()
	if ctx.Err() != nil {
		t.Fatalf("%s does not end: %s", line, text)
	}
	if _, exited := errors.AsType[*exec.ExitError](err); err != nil && !exited {
		t.Fatal(err)
	}
	// A process starts with the peak of the one that has started it: with the race detector,
	// that of the tests can be higher.
	var own syscall.Rusage
	must(t, syscall.Getrusage(syscall.RUSAGE_SELF, &own))
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok && usage.Maxrss > max(maxMemory, own.Maxrss) {
		t.Errorf("%s needed %d MiB", line, usage.Maxrss>>10)
	}
	return string(text), cmd.ProcessState.ExitCode()
}

// homeFiles are the files of a home, each with a command that needs it.
var homeFiles = []struct {
	path    string
	command string
	works   string            // kinds with which the command works without a word
	warns   string            // kinds with which it works with a warning
	other   map[string]string // how a message describes a kind, if differently
}{
	{path: "version", command: "list"},
	{path: "config.json", command: "list"},
	{path: "config.lock", command: "profile use default", works: "huge"},
	{path: "master.key", command: "list"},
	{path: "key.lock", command: "key rotate", works: "huge"},
	{path: "audit.log", command: "log", other: map[string]string{"huge": "longer than"}},
	{path: "audit.log", command: "log --verify", other: map[string]string{"huge": "longer than"}},
	{path: "audit.log", command: "login openai --key-stdin --no-verify --force <<<sk-0123456789abcdef0124", works: "huge", warns: "device"},
	{path: "providers/acme.json", command: "list", warns: "pipe device directory socket huge"},
	{path: "profiles/default/vault.json", command: "list"},
	{path: "profiles/default/generation", command: "list"},
	{path: "profiles/default/generation.new", command: "login openai --key-stdin --no-verify --force <<<sk-0123456789abcdef0124", works: "huge"},
	{path: "profiles/default/vault/000001.sst", command: "list", other: map[string]string{"huge": "bytes instead of", "device": "a symbolic link"}},
	{path: "profiles/default/vault/MANIFEST", command: "list", other: map[string]string{"huge": "bytes instead of", "device": "a symbolic link"}},
	{path: "profiles/default/vault.lock", command: "list", works: "huge"},
	{path: "profiles/default/vault.lock.turn", command: "list", works: "huge"},
	{path: "profiles/default/ca.pem", command: "ca path", works: "huge"},
	{path: "logs/authsome.log", command: "run -- true", works: "huge", warns: "pipe device directory socket"},
}

func TestNothingInPlaceOfAHomeFileStopsACommand(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.run("sk-0123456789abcdef0123", "login", "openai", "--key-stdin", "--no-verify")
	b.run("", "ca", "path")
	for _, file := range homeFiles {
		for _, n := range notFiles {
			t.Run(file.path+"/"+n.name+"/"+strings.Fields(file.command)[0], func(t *testing.T) {
				path := filepath.Join(b.home, file.path)
				aside := filepath.Join(t.TempDir(), "aside")
				had := os.Rename(path, aside) == nil
				n.make(t, path)
				out, code := runBriefly(t, b, "authsome "+file.command)
				must(t, os.RemoveAll(path))
				if had {
					must(t, os.Rename(aside, path))
				}
				described := n.described
				if text := file.other[n.name]; text != "" {
					described = text
				}
				silent := slices.Contains(strings.Fields(file.works), n.name)
				works := silent || slices.Contains(strings.Fields(file.warns), n.name)
				switch named := strings.Contains(out, path); {
				case (code == 0) != works:
					t.Errorf("exit code %d: %s", code, out)
				case !silent && (!named || !strings.Contains(out, described)):
					t.Errorf("the message does not say that %s is %s: %s", path, described, out)
				}
			})
		}
	}
	b.run("", "list")
}

// A pipe in place of a directory of the home does not stop a command either.
func TestNothingInPlaceOfAHomeDirectoryStopsACommand(t *testing.T) {
	b := newBench(t)
	b.run("sk-0123456789abcdef0123", "login", "openai", "--key-stdin", "--no-verify")
	for _, dir := range []string{"providers", "profiles", "logs", "profiles/default", "profiles/default/vault", "profiles/default/locks", "."} {
		t.Run(dir, func(t *testing.T) {
			path := filepath.Join(b.home, dir)
			aside := path + "-aside"
			must(t, os.MkdirAll(path, 0o700))
			must(t, os.Rename(path, aside))
			must(t, syscall.Mkfifo(path, 0o600))
			command := "authsome list"
			if dir == "profiles/default/locks" {
				command = "authsome logout openai"
			}
			out, code := runBriefly(t, b, command)
			must(t, os.Remove(path))
			must(t, os.Rename(aside, path))
			if code == 0 || !strings.Contains(out, path) {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
	b.run("", "list")
}

const (
	ageRecipient = "age1trapze6xlg06mxa5h6mnk20pel2vcg38nn2fwrx74phknrf6uu4qjcftlv"
	aDefinition  = `{"schema_version":2,"name":"acme","flows":["api_key"],"hosts":["api.acme.test"],"inject":[{"in":"header","name":"X-Key","value":"{api_key}"}]}`
)

// namedFiles are command lines in which FILE is a file that the user names.
var namedFiles = []struct {
	line    string
	regular bool   // it must be a regular file
	content string // with which the command works
}{
	{"authsome register FILE --yes --force", false, aDefinition},
	{"authsome vault backup $AUTHSOME_HOME/y.age --force --passphrase-file FILE", false, "correct horse"},
	{"authsome vault restore FILE --force --identity /dev/null", true, ""},
	{"authsome vault restore $AUTHSOME_HOME/x.age --force --passphrase-file FILE", false, "correct horse"},
	{"authsome vault restore $AUTHSOME_HOME/x.age --identity FILE", false, ""},
	{"authsome import --dotenv FILE --yes", true, ""},
	{"authsome proxy --listen 127.0.0.1:0 --admin= --token-file FILE --require-token --provider openai=none", false, ""},
	{"authsome run --upstream-ca FILE -- true", false, ""},
	{"AUTHSOME_HOME=$AUTHSOME_HOME-2 AUTHSOME_PASSPHRASE_FILE=FILE authsome list", false, "correct horse"},
	{"AUTHSOME_MASTER_KEY_FILE=FILE authsome list", true, ""},
}

// newNamingBench has a home with a backup, and a second home with a passphrase.
func newNamingBench(t *testing.T) *bench {
	t.Helper()
	b := newBench(t)
	b.run("sk-0123456789abcdef0123", "login", "openai", "--key-stdin", "--no-verify")
	pass := filepath.Join(t.TempDir(), "pass")
	must(t, os.WriteFile(pass, []byte("correct horse"), 0o600))
	b.run("", "vault", "backup", filepath.Join(b.home, "x.age"), "--passphrase-file", pass)
	first := b.home
	b.home += "-2"
	b.run("", "key", "mode", "passphrase", "--passphrase-file", pass)
	b.home = first
	return b
}

func TestFilesThatAUserNamesAreBounded(t *testing.T) {
	skipCommands(t)
	t.Parallel()
	b := newNamingBench(t)
	for i, named := range namedFiles {
		for _, n := range notFiles {
			if n.name == "pipe" && !named.regular {
				continue // waits for its other end, and TestFilesThatAUserNamesCanBePipes has one
			}
			t.Run(fmt.Sprint(named.line, "/", n.name), func(t *testing.T) {
				path := filepath.Join(filepath.Dir(b.home), fmt.Sprint("file", i, n.name))
				n.make(t, path)
				out, code := runBriefly(t, b, strings.NewReplacer(" FILE", " "+path, "=FILE", "="+path).Replace(named.line))
				described := n.described
				if !named.regular && n.name == "device" {
					described = "larger than"
				}
				if strings.Contains(named.line, "restore FILE") && n.name == "huge" {
					described = "not a file in the age format" // it is read from its beginning
				}
				if strings.Contains(named.line, "dotenv") && n.name == "device" {
					path = "/dev/zero" // the file to which it links is the one to change
				}
				if code == 0 || !strings.Contains(out, path) || !strings.Contains(out, described) {
					t.Errorf("exit code %d, without %q: %s", code, described, out)
				}
			})
		}
	}
}

func TestFilesThatAUserNamesCanBePipes(t *testing.T) {
	skipCommands(t)
	t.Parallel()
	b := newNamingBench(t)
	pipes := []string{"/dev/stdin < <(printf %s 'CONTENT')", "<(printf %s 'CONTENT')"}
	for i, named := range namedFiles {
		if named.content == "" {
			continue
		}
		pipe := pipes[i%len(pipes)] // in turn: some of the commands derive a key, which takes long
		line := strings.NewReplacer(" FILE", " "+pipe, "=FILE", "="+pipe).Replace(named.line)
		line = strings.ReplaceAll(line, "CONTENT", named.content)
		t.Run(line, func(t *testing.T) {
			if out, code := runBriefly(t, b, line); code != 0 {
				t.Errorf("exit code %d: %s", code, out)
			}
		})
	}
}

// A pipe that nobody writes to can be interrupted.
func TestWaitingForANamedPipeCanBeInterrupted(t *testing.T) {
	b := newBench(t)
	path := filepath.Join(t.TempDir(), "pipe")
	must(t, syscall.Mkfifo(path, 0o600))
	cmd := b.command("register", path)
	must(t, cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	for deadline := time.After(limit); ; {
		select {
		case <-ended:
			return
		case <-deadline:
			cmd.Process.Kill()
			t.Fatal("it does not end")
		case <-time.After(20 * time.Millisecond):
			must(t, cmd.Process.Signal(os.Interrupt)) // also before it opens the pipe
		}
	}
}
