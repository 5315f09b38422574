package loopback_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/authsome/authsome/internal/loopback"
)

// openStage is a page that asks for something other than values.
type openStage struct {
	openForm
	ended <-chan stageResult
}

type stageResult struct {
	chosen string
	err    error
}

// openPage opens the page while ask waits.
func openPage(t *testing.T, ask func(context.Context, *loopback.Server) (string, error)) *openStage {
	t.Helper()
	s := listen(t, loopback.Redirect{})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	ended := make(chan stageResult, 1)
	asked := s.StageChanged()
	go func() {
		chosen, err := ask(ctx, s)
		ended <- stageResult{chosen, err}
	}()
	<-asked
	_, address := getFollowing(t, s.Link())
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return &openStage{openForm{t: t, server: s, page: address, origin: "http://" + at.Host}, ended}
}

func chooseHow(ctx context.Context, s *loopback.Server) (string, error) {
	return s.Choose(ctx, "How do you want to log in?", []loopback.Choice{
		{Name: "token", Title: "Paste a token", Text: "You create it at Acme."},
		{Name: "app", Title: "Create an OAuth app", Text: "You sign in with it."},
	})
}

func TestChoose(t *testing.T) {
	o := openPage(t, chooseHow)
	p := get(t, o.page)
	for _, want := range []string{"How do you want to log in?", "Paste a token", "You sign in with it.", `value="app"`, `value="cancel"`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	o.submit("choice", "nonsense")
	if p := get(t, o.page); !strings.Contains(p.body, "Please choose one of these.") {
		t.Errorf("after a choice that does not exist: %s", p.body)
	}
	o.submit("authsome_action", "back") // there is no question before
	o.submit("choice", "app")
	if got := <-o.ended; got.chosen != "app" || got.err != nil {
		t.Errorf("chose %q, %v", got.chosen, got.err)
	}
}

// The buttons beside Connect end the form without values, whatever was entered, and only
// with the token of the page.
func TestFormEndsWithoutValues(t *testing.T) {
	f := keyForm()
	f.Back = true
	f.Steps = []string{"Enter " + f.Redirect + " as the callback URL", "Copy the <ID>"}
	for action, want := range map[string]error{"cancel": loopback.ErrCancelled, "back": loopback.ErrBack} {
		o := open(t, f)
		forged := o.request(url.Values{"authsome_action": {action}, "authsome_token": {"guessed"}})
		if p := do(t, forged); p.status != http.StatusForbidden {
			t.Errorf("%s with a guessed token: status %d", action, p.status)
		}
		o.submit("authsome_action", action, "api_key", key)
		if got := <-o.done; !errors.Is(got.err, want) || got.values != nil {
			t.Errorf("%s: %d values, %v", action, len(got.values), got.err)
		}
	}
	o := open(t, keyForm())
	if p := get(t, o.page); strings.Contains(p.body, `value="back"`) {
		t.Error("the form offers a way back where there is none")
	}
}

// Steps are numbered by the page, and the redirect URL in one of them can be copied.
func TestStepsOfAForm(t *testing.T) {
	f := keyForm()
	f.Steps = []string{"Enter " + f.Redirect + " as the callback URL", "Copy the <ID>"}
	p := get(t, open(t, f).page)
	for _, want := range []string{`<ol class="steps">`, `<a href="https://acme.test/keys"`, `data-copy="redirect-url"`, ">" + f.Redirect + "</span>", " as the callback URL</li>", "Copy the &lt;ID&gt;</li>"} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	if strings.Count(p.body, f.Redirect) != 1 {
		t.Errorf("the redirect URL is on the page %d times", strings.Count(p.body, f.Redirect))
	}
}

var nextPattern = regexp.MustCompile(`data-next="([^"]+)"`)

// A page that waits is told when there is something else to show.
func TestCodePageWaitsForTheResult(t *testing.T) {
	code := loopback.Code{User: "WDJB-MJHT", URL: "https://acme.test/device", Link: "https://acme.test/device?code=WDJB-MJHT"}
	showCode := func(ctx context.Context, s *loopback.Server) (string, error) { return "", s.ShowCode(ctx, code) }
	o := openPage(t, showCode)
	p := get(t, o.page)
	for _, want := range []string{"WDJB-MJHT", "https://acme.test/device", `href="` + code.Link + `"`, `value="cancel"`} {
		if !strings.Contains(p.body, want) {
			t.Errorf("the page lacks %q", want)
		}
	}
	o.submit("x", "y")
	p = get(t, o.page)
	m := nextPattern.FindStringSubmatch(p.body)
	if m == nil {
		t.Fatalf("the page does not wait: %s", p.body)
	}
	told := make(chan int, 2)
	wait := func() { told <- get(t, o.origin+m[1]).status }
	go wait()
	o.submit("authsome_action", "cancel")
	if got := <-o.ended; !errors.Is(got.err, loopback.ErrCancelled) {
		t.Errorf("%v", got.err)
	}
	shown := make(chan page, 1)
	go func() { shown <- get(t, o.page) }()
	o.server.Finish(t.Context(), loopback.Outcome{Cancelled: true})
	if p := <-shown; !strings.Contains(p.body, "Login cancelled") || !strings.Contains(p.body, "Nothing was stored.") {
		t.Errorf("the result: %s", p.body)
	}
	go wait() // from a page that was rendered before the change
	for range 2 {
		if status := <-told; status != http.StatusNoContent {
			t.Errorf("status %d", status)
		}
	}
}

// A result is shown to a page that only waits, too.
func TestFinishWaitsForAWaitingPage(t *testing.T) {
	o := openPage(t, chooseHow)
	m := nextPattern.FindStringSubmatch(get(t, o.page).body)
	shown := make(chan page, 1)
	go func() {
		get(t, o.origin+m[1])
		shown <- get(t, o.page)
	}()
	o.server.AwaitWaitingPage()
	o.server.Finish(t.Context(), loopback.Outcome{Problem: "the login did not finish in time"})
	if p := <-shown; !strings.Contains(p.body, "The login did not finish in time.") {
		t.Errorf("the result: %s", p.body)
	}
}

// Only the page's own style and script are allowed, and each page has a new nonce.
func TestPolicyOfPagesWithScripts(t *testing.T) {
	o := openPage(t, chooseHow)
	nonces := make(map[string]bool)
	for range 2 {
		p := get(t, o.page)
		m := regexp.MustCompile(`script-src 'nonce-([A-Z2-7]{26,})'; connect-src 'self'$`).FindStringSubmatch(p.header.Get("Content-Security-Policy"))
		if m == nil || strings.Count(p.body, "<script") != 1 || !strings.Contains(p.body, `<script nonce="`+m[1]+`">`) {
			t.Fatalf("policy %s, page %s", p.header.Get("Content-Security-Policy"), p.body)
		}
		if strings.Contains(p.body, " style=") || regexp.MustCompile(` on[a-z]+="`).MatchString(p.body) || regexp.MustCompile(`(src|href)="(https?:)?//`).MatchString(p.body) {
			t.Error("the page has code or a resource outside of the policy")
		}
		nonces[m[1]] = true
	}
	if len(nonces) != 2 {
		t.Error("the nonce was used twice")
	}
}
