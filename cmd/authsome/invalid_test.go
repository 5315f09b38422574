package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/authsome/authsome/cmd/authsome/internal/exit"
)

// invalidLines are command lines with an invalid argument, name, flag, file or
// definition. The files are made by TestInvalidCommandLines; nowhere does not exist.
const invalidLines = `
	nonsense
	lgoin resend --force
	--nonsense
	list --profile
	list --json=maybe
	--profile nowhere list
	--profile ../x list

	demo extra
	login resend extra
	login resend --connection ../x
	login resend --flow nonsense
	login resend --param noequals
	login resend --param nonsense=1 --force
	login resend --base-url nonsense
	login resend --redirect-url http://localhost:8080/callback
	login github --redirect-url nonsense
	login resend --timeout soon
	login resend --timeout -1s
	login resend --key-stdin --secrets-stdin
	login resend --allow-no-pkce
	login snowflake --param account=a/b
	run
	run --provider
	run --provider = -- true
	run --provider resend= -- true
	run --provider resend=../x -- true
	run --connection nonsense -- true
	run --connection =x -- true
	run --connection resend=../x -- true
	run --provider resend --provider resend=x -- true
	run --provider resend --connection github=x -- true
	run --unmatched maybe -- true
	run --connect-to nonsense -- true
	run --upstream-ca nowhere -- true
	run --upstream-ca . -- true
	run --upstream-ca plain -- true
	run --upstream-proxy nonsense -- true
	run --upstream-proxy ftp://127.0.0.1:1 -- true
	run --response-timeout soon -- true
	run --response-timeout -5s -- true
	run --trust ruby -- true
	run --trust a"b -- true
	list one two
	list --category nonsense
	list --connected=maybe

	why
	why https://
	why https://api.resend.com:port/
	why https://api.resend.com:99999/
	why ftp://api.resend.com/
	why https://2130706433/
	why api.resend.com --unmatched maybe
	why api.resend.com --provider =
	why api.resend.com --connection nonsense
	why api.resend.com --method G/T
	doctor now
	doctor --report=
	doctor --report nowhere/report.md
	doctor --report a b
	log --verify --jsonl
	log --verify --since 1h
	log --event nope
	log now
	log -n many
	log -n -5
	log --since yesterday
	log --run latest
	status one two
	log --since -5m

	get
	get resend --field nonsense
	get resend --connection ../x
	export one two
	export resend --format nonsense
	export resend --connection ../x
	export resend --prefix a-b
	export --connection work
	import
	import extra
	import --dotenv .
	import --authsome nowhere
	import --authsome plain
	import --env --placeholders
	import --env --as .x
	import --env --as a --as b
	default resend
	default resend ../x
	connection nonsense
	connection accept
	connection accept resend ../x
	connection accept resend default other
	connection copy
	connection copy resend
	connection copy resend --to nowhere
	connection copy resend --to ../x
	connection copy resend --to work --as ../x
	connection move
	connection move resend --to default
	connection move resend ../x --to work
	connection prefer
	connection prefer resend 127.1
	connection prefer resend --connection ../x
	connection prefer resend api.resend.com --connection ../x
	connection prefer resend nowhere.example
	logout
	logout resend --connection ../x
	revoke
	revoke one two
	remove
	remove one two

	inspect
	inspect one two
	provider nonsense
	provider new
	provider new ../x
	provider new x --openapi nowhere
	provider new x --openapi notjson.json
	provider new x --openapi http://api.x.test/openapi.json
	new-provider
	new-provider ../x
	register
	register nowhere
	register .
	register notjson.json
	register notjson.json --check
	register noname.json
	register badname.json
	register http://api.x.test/definition.json

	proxy extra
	proxy --listen nonsense
	proxy --listen 127.0.0.1:port
	proxy --listen 127.0.0.1:99999
	proxy --listen 0.0.0.0:0
	proxy --listen 127.0.0.1:0 --admin nonsense
	proxy --token-file nowhere
	proxy --token-file empty
	proxy --require-token
	ca nonsense
	ca path extra
	ca show extra
	ca export --format nonsense
	ca rotate
	ca rotate extra

	profile nonsense
	profile list extra
	profile create
	profile create ../x
	profile create work
	profile use
	profile use nowhere
	profile delete
	profile delete nowhere --yes
	profile delete default --yes
	profile delete work
	vault nonsense
	vault backup
	vault backup x.age
	vault backup x.age --recipient nonsense
	vault backup x.age --passphrase-file nowhere
	vault backup x.age --passphrase-file empty
	vault restore
	vault restore nowhere --passphrase-file plain
	vault restore plain --passphrase-file plain
	vault check extra
	key nonsense
	key status extra
	key rotate extra
	key mode
	key mode nonsense
	key mode file
	init extra
	whoami extra

	completion
	completion nonsense
	version extra
	help nonsense
	help vault nonsense
	man
	man nowhere
`

// goInternals are texts of Go's own packages that must not reach a user.
var goInternals = regexp.MustCompile(`strconv|lstat|stat /|invalid syntax|parsing "|unmarshal|jsontext|time: |net/http|pflag|%!`)

// Every kind of invalid command line is exit code 2, with an error in plain words and
// nothing on stdout.
func TestInvalidCommandLines(t *testing.T) {
	t.Chdir(t.TempDir())
	for name, text := range map[string]string{
		"plain": "nothing", "empty": "", "notjson.json": "{", "noname.json": `{"schema_version": 2}`,
		"badname.json": `{"schema_version": 2, "name": "../x", "flows": ["api_key"], "hosts": ["api.x.test"]}`,
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	home, err := filepath.Abs("home")
	if err != nil {
		t.Fatal(err)
	}
	invoke := func(stdin, line string) (code int, stdout, stderr string) {
		var out, problems bytes.Buffer
		a := newApp()
		a.In, a.Out, a.Err = strings.NewReader(stdin), &out, &problems
		a.Getenv = func(name string) string { return map[string]string{"AUTHSOME_HOME": home}[name] }
		code = execute(t.Context(), a, strings.Fields(line))
		return code, out.String(), problems.String()
	}
	for _, line := range []string{"login resend --key-stdin --no-verify", "profile create work"} {
		if code, _, stderr := invoke("re_0123456789abcdef", line); code != exit.OK {
			t.Fatalf("authsome %s: exit code %d: %s", line, code, stderr)
		}
	}
	checked := make(map[string]bool)
	for line := range strings.Lines(invalidLines) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		checked[commandOf(t, "authsome "+line)] = true
		code, stdout, stderr := invoke("", line)
		if code != exit.Usage || stdout != "" {
			t.Errorf("authsome %s: exit code %d, stdout %q, stderr:\n%s", line, code, stdout, stderr)
		}
		if found := goInternals.FindString(stderr); found != "" || !strings.HasPrefix(stderr, "authsome: error: ") {
			t.Errorf("authsome %s: %q in:\n%s", line, found, stderr)
		}
	}
	for _, cmd := range commands() {
		if !checked[cmd.CommandPath()] {
			t.Errorf("%s is not checked", cmd.CommandPath())
		}
	}
}
