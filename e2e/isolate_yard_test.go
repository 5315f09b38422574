package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// yard is the machine of one user, as far as attacks are concerned.
type yard struct {
	Scene string
	UID   int
	Dir   string // the user's files
	Work  string // the working directory of the command

	Home        string // of authsome
	DefaultHome string // another one, which is not used
	KeyFile     string // AUTHSOME_MASTER_KEY_FILE
	Passphrase  string // AUTHSOME_PASSPHRASE_FILE

	Neighbor neighbor // another process of the user
	Shell    int      // the process ID of the parent of `authsome run`
	Run      int      // and that of `authsome run`

	Inherited []string          // what the descriptors from firstInherited on are
	Paths     map[string]string // what a scene has made, by its name
	Proxy     string            // in a plain run, as inside, the proxy that variables name
}

// firstInherited is the number of the first descriptor that commands get in addition to the
// standard streams. No program uses it for what it opens.
const firstInherited = 50

// fd returns the number of an inherited descriptor.
func (y *yard) fd(what string) int {
	for i, name := range y.Inherited {
		if name == what {
			return firstInherited + i
		}
	}
	panic("nothing inherited: " + what)
}

// yardkeeper prepares a yard and runs the commands in it, as root.
type yardkeeper struct {
	yard
	spec     yardSpec
	scene    *scene
	env      []string   // of `authsome run`
	flags    []string   // of the isolated run
	before   []string   // a command that starts the shell
	terminal bool       // the inherited "terminal" is the one of the commands
	files    []*os.File // that the commands inherit
	neighbor *neighborProcess
	others   []*neighborProcess
	watch    *watch
	end      []func()
}

// runYard is the role of the yardkeeper.
func runYard() {
	k := &yardkeeper{}
	check(json.NewDecoder(os.Stdin).Decode(&k.spec))
	k.scene = scenes[k.spec.Scene]
	k.yard = yard{Scene: k.spec.Scene, UID: k.spec.UID, Paths: make(map[string]string)}
	k.furnish()
	var err error
	k.neighbor, err = k.startNeighbor()
	check(err)
	k.Neighbor = k.neighbor.neighbor
	if k.scene.arrange != nil {
		k.scene.arrange(k)
	}
	var r yardResult
	r.Isolated = k.run("--isolate")
	if k.scene.check != nil {
		if problem := k.scene.check(k); problem != "" {
			r.Problems = append(r.Problems, problem)
		}
	}
	r.Plain = k.run("")
	if k.scene.control != nil {
		if problem := k.scene.control(k); problem != "" {
			r.Problems = append(r.Problems, problem)
		}
	}
	for _, f := range k.end {
		f()
	}
	check(json.NewEncoder(os.Stdout).Encode(r))
}

// furnish makes the file systems, homes and directories.
func (k *yardkeeper) furnish() {
	dir := k.spec.Dir
	check(os.Chmod(dir, 0o755))
	check(unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	check(unix.Mount("tmpfs", dir, "tmpfs", 0, "mode=755"))
	check(unix.Mount("proc", "/proc", "proc", 0, ""))
	check(unix.Mount("devpts", "/dev/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620"))
	check(unix.Mount("tmpfs", "/run/user", "tmpfs", 0, "mode=755"))
	k.Dir = filepath.Join(dir, "user")
	k.Work = filepath.Join(k.Dir, "work")
	k.Home, k.DefaultHome = filepath.Join(k.Dir, "apart", "home"), filepath.Join(k.Dir, ".authsome")
	k.KeyFile, k.Passphrase = filepath.Join(k.Dir, "keys", "key.file"), filepath.Join(k.Dir, "keys", "passphrase")
	for _, d := range []string{k.Dir, k.Work, filepath.Join(k.Dir, "tmp"), filepath.Dir(k.Home), filepath.Dir(k.KeyFile), k.runtimeDir()} {
		check(os.MkdirAll(d, 0o700))
	}
	for _, home := range []string{k.Home, k.DefaultHome} {
		check(os.CopyFS(home, os.DirFS(k.spec.Template)))
		check(os.Chmod(home, 0o700))
	}
	check(unix.Mount("tmpfs", "/tmp", "tmpfs", 0, "mode=1777")) // the template is below it
	key, err := os.ReadFile(filepath.Join(k.Home, "master.key"))
	check(err)
	check(os.WriteFile(k.KeyFile, key, 0o600))
	check(os.WriteFile(k.Passphrase, []byte("correct horse battery staple\n"), 0o600))
	k.give(k.Dir)
	k.give(k.runtimeDir())
	k.env = []string{
		"PATH=" + systemPath, "LANG=C", "HOME=" + k.Dir, "TMPDIR=" + filepath.Join(k.Dir, "tmp"), "XDG_RUNTIME_DIR=" + k.runtimeDir(), "E2E_ROLE=attackers",
		"AUTHSOME_HOME=" + k.Home, "AUTHSOME_MASTER_KEY_FILE=" + k.KeyFile, "AUTHSOME_PASSPHRASE_FILE=" + k.Passphrase,
	}
	check(bringUp())
}

func (k *yardkeeper) runtimeDir() string { return filepath.Join("/run/user", strconv.Itoa(k.UID)) }

// give makes the user the owner of a tree, whose files only the user can read.
func (k *yardkeeper) give(tree string) {
	check(filepath.WalkDir(tree, func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.Type().IsRegular() && !strings.HasPrefix(path, k.Work) {
			if err := os.Chmod(path, 0o600); err != nil {
				return err
			}
		}
		return os.Lchown(path, k.UID, k.UID)
	}))
}

// run runs the attackers, below a shell that is another process of the user.
func (k *yardkeeper) run(mode string) (r runResult) {
	args := []string{"setpriv", "--reuid", strconv.Itoa(k.UID), "--regid", strconv.Itoa(k.UID), "--clear-groups", "sh", "-c", `"$@"; exit $?`, "sh",
		filepath.Join(k.spec.Programs, "authsome"), "run"}
	args = append(k.before[:len(k.before):len(k.before)], args...)
	if mode != "" {
		args = append(append(args, mode), k.flags...)
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	args = append(args, "--", filepath.Join(k.spec.Programs, "probe"))
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Dir = append(k.env, "SHELL_SECRET="+shellSecret), k.Work
	cmd.ExtraFiles = append(make([]*os.File, firstInherited-3), k.files...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if k.terminal {
		cmd.SysProcAttr.Setsid, cmd.SysProcAttr.Setctty, cmd.SysProcAttr.Ctty = true, true, k.fd("terminal")
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdin, err := cmd.StdinPipe()
	check(err)
	stdout, err := cmd.StdoutPipe()
	check(err)
	check(cmd.Start())
	defer func() {
		if err := cmd.Wait(); err != nil {
			fmt.Fprintf(&stderr, "the run: %v\n", err)
		}
		r.Output = tail(stderr.String(), 4000)
	}()
	out := bufio.NewReader(stdout)
	if line, err := out.ReadString('\n'); err != nil {
		fmt.Fprintf(&stderr, "the attackers did not start: %q: %v\n", line, err)
		return r
	}
	if k.scene.late != nil {
		k.scene.late(k)
	}
	k.Shell = cmd.Process.Pid
	check(json.NewEncoder(stdin).Encode(k.yard))
	if err := json.NewDecoder(out).Decode(&r.Attacks); err != nil {
		fmt.Fprintf(&stderr, "the attackers printed no results: %v\n", err)
	}
	return r
}

// shellSecret is in the environment of the shell that starts `authsome run`.
const shellSecret = "a-secret-of-the-shell"

// neighbor is another process of the user. Its working directory is the home, and it has
// the master key open.
type neighbor struct {
	PID     int
	Key     int    // descriptor of the master key
	Secret  string // in its memory
	Address uint64 // of the secret
}

// neighborProcess is a neighbor as its parent knows it.
type neighborProcess struct {
	neighbor
	cmd *exec.Cmd
	in  *json.Encoder
	out *json.Decoder
}

// request asks the neighbor to do something: to listen on a socket.
type request struct{ Network, Path string }

// listen has the neighbor listen. Every connection is greeted.
func (p *neighborProcess) listen(network, path string) {
	check(p.in.Encode(request{network, path}))
	var failure string
	check(p.out.Decode(&failure))
	if failure != "" {
		panic(fmt.Sprintf("%s %s: %s", network, path, failure))
	}
}

func (k *yardkeeper) startNeighbor(namespaces ...uintptr) (*neighborProcess, error) {
	cmd := exec.Command(filepath.Join(k.spec.Programs, "probe"))
	cmd.Dir = k.Home
	cmd.Env = []string{"E2E_ROLE=neighbor", "HOME=" + k.Dir, "PATH=" + systemPath, "NEIGHBOR_SECRET=" + shellSecret}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(k.UID), Gid: uint32(k.UID)}, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	for _, n := range namespaces {
		cmd.SysProcAttr.Cloneflags |= n
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &neighborProcess{cmd: cmd, in: json.NewEncoder(in), out: json.NewDecoder(out)}
	if err := p.out.Decode(&p.neighbor); err != nil {
		return nil, errors.Join(errors.New("the neighbor did not start"), err)
	}
	k.others = append(k.others, p) // it ends when its input is closed
	return p, nil
}

// copyFile is for small files of the yard.
func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// until waits for something that another process does.
func until(what string, holds func() bool) {
	for deadline := time.Now().Add(limit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			panic("this did not happen: " + what)
		}
	}
}
