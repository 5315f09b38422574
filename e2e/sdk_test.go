package e2e

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// mark is part of every placeholder.
const mark = "authsome-proxy-managed"

// sdkCall is a request of a vendor's client to its service: what is stored, what the
// client sends, and exactly what must arrive.
type sdkCall struct {
	provider string
	program  []string          // default: the Node script with the name of the provider
	key      string            // the api_key
	params   []string          // NAME=value
	secrets  string            // NAME=value lines
	hosts    []string          // to which the client connects
	answer   map[string]string // by path or by the first label of the host; "" is for all
	method   string
	path     string
	header   map[string]string // the credentials that must arrive, and no others
	signed   bool              // by AWS Signature Version 4
	want     string            // what the client prints after "got "
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

const (
	twilioSID = "AC0123456789abcdef0123456789abcdef"
	awsID     = "AKIDEXAMPLE012345678"
	awsSecret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
	jwtKey    = "eyJhbGciOiJIUzI1NiJ9.eyJyb2xlIjoic2VydmljZV9yb2xlIn0.c2VjcmV0"
)

var sdkCalls = []sdkCall{
	{provider: "openai", key: "sk-proj-real0123456789abcdefghij", hosts: []string{"api.openai.com"}, method: "GET", path: "/v1/models",
		answer: map[string]string{"": `{"object":"list","data":[{"id":"model-1"}]}`}, header: map[string]string{"Authorization": "Bearer sk-proj-real0123456789abcdefghij"}, want: "model-1"},
	{provider: "anthropic", key: "sk-ant-api03-real0123456789abcd", hosts: []string{"api.anthropic.com"}, method: "POST", path: "/v1/messages",
		answer: map[string]string{"": `{"id":"msg_1","type":"message","role":"assistant","content":[]}`}, header: map[string]string{"X-Api-Key": "sk-ant-api03-real0123456789abcd"}, want: "msg_1"},
	{provider: "github-pat", key: "ghp_real0123456789abcdefghijklmnopqrstuv", hosts: []string{"api.github.com"}, method: "GET", path: "/user",
		answer: map[string]string{"": `{"login":"octocat"}`}, header: map[string]string{"Authorization": "Bearer ghp_real0123456789abcdefghijklmnopqrstuv"}, want: "octocat"},
	{provider: "github-pat", program: []string{"gh", "api", "user", "--jq", `"got " + .login`}, key: "ghp_real0123456789abcdefghijklmnopqrstuv", hosts: []string{"api.github.com"}, method: "GET", path: "/user",
		answer: map[string]string{"": `{"login":"octocat"}`}, header: map[string]string{"Authorization": "Bearer ghp_real0123456789abcdefghijklmnopqrstuv"}, want: "octocat"},
	{provider: "stripe", key: "sk_test_real0123456789", hosts: []string{"api.stripe.com"}, method: "GET", path: "/v1/balance",
		answer: map[string]string{"": `{"object":"balance"}`}, header: map[string]string{"Authorization": "Bearer sk_test_real0123456789"}, want: "balance"},
	{provider: "slack-token", key: "xoxb-real-0123456789", hosts: []string{"slack.com"}, method: "POST", path: "/api/auth.test",
		answer: map[string]string{"": `{"ok":true,"team":"Team"}`}, header: map[string]string{"Authorization": "Bearer xoxb-real-0123456789"}, want: "Team"},
	{provider: "notion-token", key: "ntn_real0123456789", hosts: []string{"api.notion.com"}, method: "GET", path: "/v1/users/me",
		answer: map[string]string{"": `{"object":"user","id":"user-1","type":"bot"}`}, header: map[string]string{"Authorization": "Bearer ntn_real0123456789"}, want: "user-1"},
	{provider: "twilio", params: []string{"account_sid=" + twilioSID}, key: "0123456789abcdef0123456789abcdef", hosts: []string{"api.twilio.com"}, method: "GET", path: "/2010-04-01/Accounts/" + twilioSID + ".json",
		answer: map[string]string{"": `{"sid":"` + twilioSID + `","friendly_name":"Friend"}`}, header: map[string]string{"Authorization": basic(twilioSID, "0123456789abcdef0123456789abcdef")}, want: "Friend"},
	{provider: "sendgrid", key: "SG.real0123456789abcdefgh.real0123456789", hosts: []string{"api.sendgrid.com"}, method: "POST", path: "/v3/mail/send",
		answer: map[string]string{"": `{}`}, header: map[string]string{"Authorization": "Bearer SG.real0123456789abcdefgh.real0123456789"}, want: "200"},
	{provider: "mailchimp", key: "0123456789abcdef0123456789abcdef-us21", hosts: []string{"us21.api.mailchimp.com"}, method: "GET", path: "/3.0/ping",
		answer: map[string]string{"": `{"health_status":"fine"}`}, header: map[string]string{"Authorization": basic("anystring", "0123456789abcdef0123456789abcdef-us21")}, want: "fine"},
	{provider: "supabase-project", params: []string{"project_ref=abcdefghijklmnopqrst"}, key: jwtKey, hosts: []string{"abcdefghijklmnopqrst.supabase.co"}, method: "GET", path: "/rest/v1/things",
		answer: map[string]string{"": `[{"name":"thing"}]`}, header: map[string]string{"Apikey": jwtKey, "Authorization": "Bearer " + jwtKey}, want: "thing"},
	{provider: "aws", params: []string{"access_key_id=" + awsID}, secrets: "secret_access_key=" + awsSecret + "\n", hosts: []string{"s3.eu-west-1.amazonaws.com", "bucket.s3.eu-west-1.amazonaws.com", "sts.eu-west-1.amazonaws.com"},
		method: "GET", path: "/", signed: true, answer: map[string]string{
			"/":     `<?xml version="1.0"?><ListAllMyBucketsResult><Buckets><Bucket><Name>first</Name></Bucket></Buckets></ListAllMyBucketsResult>`,
			"sts":   `<GetCallerIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><GetCallerIdentityResult><Account>42</Account></GetCallerIdentityResult></GetCallerIdentityResponse>`,
			"other": ``}, want: "first 42"},
	{provider: "algolia", params: []string{"app_id=MYAPPID123"}, key: "0123456789abcdef0123456789abcdef", hosts: []string{"myappid123-dsn.algolia.net", "myappid123.algolia.net"}, method: "GET", path: "/1/indexes",
		answer: map[string]string{"": `{"items":[{"name":"index"}],"nbPages":1}`}, header: map[string]string{"X-Algolia-Api-Key": "0123456789abcdef0123456789abcdef", "X-Algolia-Application-Id": "MYAPPID123"}, want: "index"},
	{provider: "telegram", key: "987654321:real_0123456789abcdefghij", hosts: []string{"api.telegram.org"}, method: "POST", path: "/bot987654321:real_0123456789abcdefghij/getMe",
		answer: map[string]string{"": `{"ok":true,"result":{"id":1,"is_bot":true,"username":"a_bot"}}`}, want: "a_bot"},
	{provider: "groq", key: "gsk_real0123456789", hosts: []string{"api.groq.com"}, method: "GET", path: "/openai/v1/models",
		answer: map[string]string{"": `{"object":"list","data":[{"id":"llama"}]}`}, header: map[string]string{"Authorization": "Bearer gsk_real0123456789"}, want: "llama"},
	{provider: "cohere", key: "real0123456789abcdefghijklmnopqrstuvwxyz", hosts: []string{"api.cohere.com"}, method: "GET", path: "/v1/models",
		answer: map[string]string{"": `{"models":[{"name":"command"}]}`}, header: map[string]string{"Authorization": "Bearer real0123456789abcdefghijklmnopqrstuvwxyz"}, want: "command"},
	{provider: "mistral", key: "real0123456789abcdefghijklmnopqr", hosts: []string{"api.mistral.ai"}, method: "GET", path: "/v1/models",
		answer: map[string]string{"": `{"object":"list","data":[{"id":"mistral-small","object":"model","type":"base","capabilities":{}}]}`}, header: map[string]string{"Authorization": "Bearer real0123456789abcdefghijklmnopqr"}, want: "mistral-small"},
	{provider: "google-gemini", key: "AIzareal0123456789abcdefghijklmnopqrstu", hosts: []string{"generativelanguage.googleapis.com"}, method: "POST", path: "/v1beta/models/m:generateContent",
		answer: map[string]string{"": `{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]}}]}`}, header: map[string]string{"X-Goog-Api-Key": "AIzareal0123456789abcdefghijklmnopqrstu"}, want: "hello"},
	{provider: "replicate", key: "r8_real0123456789abcdefghijklmnopqrstuvw", hosts: []string{"api.replicate.com"}, method: "GET", path: "/v1/account",
		answer: map[string]string{"": `{"type":"user","username":"user"}`}, header: map[string]string{"Authorization": "Bearer r8_real0123456789abcdefghijklmnopqrstuvw"}, want: "user"},
	{provider: "resend", key: "re_real_0123456789abcdef", hosts: []string{"api.resend.com"}, method: "POST", path: "/emails",
		answer: map[string]string{"": `{"id":"email-1"}`}, header: map[string]string{"Authorization": "Bearer re_real_0123456789abcdef"}, want: "email-1"},
	{provider: "linear-api-key", key: "lin_api_real0123456789abcdefghijklmnopqrstuvwxyz", hosts: []string{"api.linear.app"}, method: "POST", path: "/graphql",
		answer: map[string]string{"": `{"data":{"viewer":{"id":"1","name":"Ada","email":"ada@example.com","createdAt":"2026-01-01T00:00:00.000Z","updatedAt":"2026-01-01T00:00:00.000Z"}}}`}, header: map[string]string{"Authorization": "lin_api_real0123456789abcdefghijklmnopqrstuvwxyz"}, want: "Ada"},
	{provider: "discord-bot", key: "MTIzNDU2Nzg5.real.0123456789abcdefghijklmnop", hosts: []string{"discord.com"}, method: "GET", path: "/api/v10/users/@me",
		answer: map[string]string{"": `{"id":"1","username":"robot"}`}, header: map[string]string{"Authorization": "Bot MTIzNDU2Nzg5.real.0123456789abcdefghijklmnop"}, want: "robot"},
	{provider: "airtable-pat", key: "patreal0123456789.0123456789abcdef", hosts: []string{"api.airtable.com"}, method: "GET", path: "/v0/app00000000000000/Things",
		answer: map[string]string{"": `{"records":[{"id":"rec1","fields":{"Name":"row"}}]}`}, header: map[string]string{"Authorization": "Bearer patreal0123456789.0123456789abcdef"}, want: "row"},
}

// carriers are the header fields in which services expect credentials.
var carriers = []string{"Authorization", "X-Api-Key", "Api-Key", "Apikey", "X-Goog-Api-Key", "X-Algolia-Api-Key", "X-Algolia-Application-Id", "Cookie", "X-Amz-Security-Token"}

// TestSDKs runs each vendor's client, unmodified and with placeholders only. What
// arrives must be what the vendor documents.
func TestSDKs(t *testing.T) {
	for _, call := range sdkCalls {
		name := call.provider
		if call.program != nil {
			name += " by " + call.program[0]
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call.run(t)
		})
	}
}

// vendor is an HTTPS server for all hosts of one call.
type vendor struct {
	call sdkCall
	mu   sync.Mutex // guards seen
	seen []seenRequest
}

type seenRequest struct {
	*http.Request
	body []byte
}

func (v *vendor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	v.mu.Lock()
	v.seen = append(v.seen, seenRequest{r, body})
	v.mu.Unlock()
	answer, ok := v.call.answer[""]
	if !ok {
		if answer, ok = v.call.answer[strings.SplitN(r.Host, ".", 2)[0]]; !ok {
			if answer, ok = v.call.answer[r.URL.Path]; !ok {
				answer = v.call.answer["other"]
			}
		}
	}
	w.Header().Set("Content-Type", "application/json")
	if strings.HasPrefix(answer, "<") {
		w.Header().Set("Content-Type", "text/xml")
	}
	io.WriteString(w, answer)
}

func (c sdkCall) run(t *testing.T) {
	v := &vendor{call: c}
	dir := t.TempDir()
	caFile, config := certificates(dir, c.hosts...)
	server := httptest.NewUnstartedServer(v)
	server.TLS = config
	server.EnableHTTP2 = true
	server.StartTLS()
	t.Cleanup(server.Close)
	_, port, _ := net.SplitHostPort(server.Listener.Addr().String())

	home := filepath.Join(dir, "home")
	environ := []string{"AUTHSOME_HOME=" + home, "HOME=" + dir, "TMPDIR=" + dir, "PATH=" + os.Getenv("PATH"), "LANG=C"}
	login := []string{"login", c.provider, "--no-verify"}
	for _, p := range c.params {
		login = append(login, "--param", p)
	}
	input := c.key
	if c.secrets != "" {
		login, input = append(login, "--secrets-stdin"), c.secrets
	} else {
		login = append(login, "--key-stdin")
	}
	connect := exec.Command(binary, login...)
	connect.Env, connect.Stdin = environ, strings.NewReader(input)
	if out, err := connect.CombinedOutput(); err != nil {
		t.Fatalf("login: %v\n%s", err, out)
	}

	args := []string{"run", "--upstream-ca", caFile, "--unmatched", "deny"}
	for _, host := range c.hosts {
		args = append(args, "--connect-to", host+":443:127.0.0.1:"+port)
	}
	program := c.program
	if program == nil {
		script, err := filepath.Abs(filepath.Join("sdk", c.provider+".mjs"))
		if err != nil {
			t.Fatal(err)
		}
		interpreter, err := filepath.Abs(need(t, node))
		if err != nil {
			t.Fatal(err)
		}
		program = []string{interpreter, script}
	} else {
		program[0] = need(t, program[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(append(args, "--"), program...)...)
	var out, stderr bytes.Buffer
	cmd.Env, cmd.Stdout, cmd.Stderr = environ, &out, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %v\n%s%s", program, err, &out, &stderr)
	}
	if got := strings.TrimSpace(out.String()); got != "got "+c.want {
		t.Errorf("the client printed %q, want %q\n%s", got, "got "+c.want, &stderr)
	}
	v.check(t)
}

func (v *vendor) check(t *testing.T) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.seen) == 0 {
		t.Fatal("nothing arrived")
	}
	first := v.seen[0]
	if first.Method != v.call.method || first.URL.Path != v.call.path {
		t.Errorf("arrived %s %s, want %s %s", first.Method, first.URL.Path, v.call.method, v.call.path)
	}
	for _, r := range v.seen {
		var all bytes.Buffer
		r.Header.Write(&all)
		fmt.Fprintf(&all, "%s %s\n%s", r.Method, r.RequestURI, r.body)
		if strings.Contains(all.String(), mark) {
			t.Errorf("a placeholder arrived:\n%s", &all)
		}
		if !slices.Contains(v.call.hosts, r.Host) {
			t.Errorf("arrived at %s", r.Host)
		}
		if v.call.signed {
			checkSignature(t, r)
			continue
		}
		for _, name := range carriers {
			want, ok := v.call.header[name]
			switch got := r.Header[name]; {
			case ok && (len(got) != 1 || got[0] != want):
				t.Errorf("%s: %q, want %q", name, got, want)
			case !ok && got != nil:
				t.Errorf("%s: %q arrived, but the service does not use this field", name, got)
			}
		}
		for name := range maps.Keys(v.call.header) {
			if !slices.Contains(carriers, name) {
				t.Errorf("carriers lacks %s, so the test does not look for it in requests to other services", name)
			}
		}
	}
}

// checkSignature reports a request that is not signed with the real secret.
func checkSignature(t *testing.T, r seenRequest) {
	t.Helper()
	if err := verifySignature(r); err != nil {
		t.Error(err)
	}
}

// verifySignature computes the signature of a request with the real secret, as AWS
// documents it (Signature Version 4 for API requests), and compares.
func verifySignature(r seenRequest) error {
	fields := strings.Fields(strings.ReplaceAll(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",", " "))
	parts := make(map[string]string)
	for _, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		parts[name] = value
	}
	id, scope, _ := strings.Cut(parts["Credential"], "/")
	if id != awsID {
		return fmt.Errorf("signed as %q", id)
	}
	var canonical strings.Builder
	path := r.URL.EscapedPath()
	fmt.Fprintf(&canonical, "%s\n%s\n", r.Method, path)
	query := r.URL.Query()
	canonical.WriteString(strings.ReplaceAll(query.Encode(), "+", "%20") + "\n")
	for _, name := range strings.Split(parts["SignedHeaders"], ";") {
		value := strings.Join(r.Header.Values(name), ",")
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&canonical, "%s:%s\n", name, strings.TrimSpace(value))
	}
	payload := r.Header.Get("X-Amz-Content-Sha256")
	if payload == "" {
		payload = hex.EncodeToString(sum(r.body))
	}
	fmt.Fprintf(&canonical, "\n%s\n%s", parts["SignedHeaders"], payload)
	toSign := "AWS4-HMAC-SHA256\n" + r.Header.Get("X-Amz-Date") + "\n" + scope + "\n" + hex.EncodeToString(sum([]byte(canonical.String())))
	key := []byte("AWS4" + awsSecret)
	for _, part := range append(strings.Split(strings.TrimSuffix(scope, "/aws4_request"), "/"), "aws4_request") {
		key = mac(key, part)
	}
	if want := hex.EncodeToString(mac(key, toSign)); parts["Signature"] != want {
		return fmt.Errorf("%s %s: signature %s, want %s of\n%s", r.Method, r.RequestURI, parts["Signature"], want, canonical.String())
	}
	return nil
}

func sum(b []byte) []byte {
	s := sha256.Sum256(b)
	return s[:]
}

func mac(key []byte, s string) []byte {
	h := hmac.New(sha256.New, key)
	io.WriteString(h, s)
	return h.Sum(nil)
}

// TestNodeAgents checks that Node programs with custom agents use the proxy, however
// they create them. Agents that already connect to a proxy continue to do so.
func TestNodeAgents(t *testing.T) {
	r := newRig(t)
	script, err := filepath.Abs("sdk/agents.cjs")
	if err != nil {
		t.Fatal(err)
	}
	interpreter, err := filepath.Abs(need(t, node))
	if err != nil {
		t.Fatal(err)
	}
	out := strings.TrimSpace(r.run([]string{"E2E_HOST=" + routeHost}, interpreter, script))
	all := r.arrivals()
	if out != fmt.Sprint(len(all)) || len(all) < 9 {
		t.Errorf("%d requests arrived, the client sent %s", len(all), out)
	}
	for _, a := range all {
		if !a.Authorized {
			t.Errorf("arrived: %+v", a)
		}
	}
}
