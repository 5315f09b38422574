//go:build unix

package child

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/authsome/authsome/ca"
)

// startProxy starts a proxy that connects every CONNECT to upstream.
func startProxy(t *testing.T, upstream string) *url.URL {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, token, ok := proxyUser(r); r.Method != http.MethodConnect || !ok || user != "authsome" || token != "tok" {
			w.Header().Set("Proxy-Authenticate", `Basic realm="authsome"`)
			w.WriteHeader(http.StatusProxyAuthRequired)
			return
		}
		out, err := net.Dial("tcp", upstream)
		if err != nil {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		defer out.Close()
		in, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			return
		}
		defer in.Close()
		io.WriteString(in, "HTTP/1.1 200 OK\r\n\r\n")
		go func() {
			io.Copy(out, in)
			out.(*net.TCPConn).CloseWrite()
		}()
		io.Copy(in, out)
	}))
	t.Cleanup(s.Close)
	u, err := url.Parse(s.URL)
	if err != nil {
		t.Fatal(err)
	}
	u.User = url.UserPassword("authsome", "tok")
	return u
}

func proxyUser(r *http.Request) (user, token string, ok bool) {
	r = &http.Request{Header: http.Header{"Authorization": r.Header["Proxy-Authorization"]}}
	return r.BasicAuth()
}

const debianPython = "/usr/bin/python3" // has the packages of Debian

const pythonAsyncio = `
import asyncio
async def get():
    r, w = await asyncio.open_connection("api.example.invalid", 443, ssl=True)
    w.write(b"GET / HTTP/1.1\r\nHost: api.example.invalid\r\n\r\n")
    await r.readline()
asyncio.run(get())
`

const pythonAIOHTTP = `
import asyncio, sys, aiohttp
async def get():
    async with aiohttp.ClientSession() as s:
        await s.get(sys.argv[1])
asyncio.run(get())
`

// Each client reaches a host that only the proxy can reach, with a certificate that
// only the files make it trust, although the parent's settings are wrong.
func TestClientsUseTheProxy(t *testing.T) {
	const site = "https://api.example.invalid/"
	authority, err := ca.New(ca.Options{CommonName: "clients"})
	if err != nil {
		t.Fatal(err)
	}
	var arrived atomic.Int32
	upstream := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		http.NotFound(w, r)
	}))
	upstream.TLS = &tls.Config{GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) { return authority.Leaf(h.ServerName) }}
	upstream.EnableHTTP2 = true
	upstream.StartTLS()
	defer upstream.Close()
	tmp := t.TempDir()
	files, err := WriteFiles(tmp, authority.CertificatePEM(), authority.CertificatePEM(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer files.Close()
	stream := filepath.Join(tmp, "stream.php")
	if err := errors.Join(files.AddPython(), files.AddPHP(), os.WriteFile(stream, []byte("<?php file_get_contents($argv[1]);"), 0o600)); err != nil {
		t.Fatal(err)
	}
	env, _ := environment(t, Environment{
		Parent: []string{
			"PATH=" + os.Getenv("PATH"), "HOME=" + tmp, "LANG=C.UTF-8",
			"NO_PROXY=example.invalid", "https_proxy=http://127.0.0.1:1", "npm_config_cafile=/nonexistent", "SSL_CERT_DIR=/nonexistent",
		},
		Proxy: startProxy(t, upstream.Listener.Addr().String()), Files: files, Hosts: []string{"api.example.invalid"},
	})
	var list []string
	for name, value := range env {
		list = append(list, name+"="+value)
	}
	for _, tt := range []struct {
		name  string
		probe []string // succeeds if the client is installed
		args  []string
	}{
		{"curl", []string{"curl", "-V"}, []string{"curl", "-sS", site}},
		{"wget", []string{"wget", "-V"}, []string{"wget", "-t1", "-qO-", site}},
		{"git", []string{"git", "--version"}, []string{"git", "ls-remote", site + "project.git"}},
		{"npm", []string{"npm", "--version"}, []string{"npm", "ping", "--fetch-retries=0", "--registry", site}},
		{"Node fetch", []string{"node", "--version"}, []string{"node", "-e", "fetch(process.argv[1])", site}},
		{"Node http2", []string{"node", "--version"}, []string{"node", "-e", "require('http2').connect(process.argv[1]).on('error', () => {}).request().on('error', () => {}).on('response', () => process.exit())", site}},
		{"pip", []string{"python3", "-m", "pip", "--version"}, []string{"python3", "-m", "pip", "download", "--no-cache-dir", "--retries=0", "--no-deps", "-d", tmp, "-i", site, "no-such-project"}},
		{"Python urllib", []string{"python3", "-V"}, []string{"python3", "-c", "import sys, urllib.request as u; u.urlopen(sys.argv[1])", site}},
		{"Python http.client", []string{"python3", "-V"}, []string{"python3", "-c", "import http.client as c; c.HTTPSConnection('api.example.invalid').request('GET', '/')"}},
		{"Python asyncio", []string{"python3", "-V"}, []string{"python3", "-c", pythonAsyncio}},
		{"Python aiohttp", []string{debianPython, "-c", "import aiohttp"}, []string{debianPython, "-c", pythonAIOHTTP, site}},
		{"Python httplib2", []string{debianPython, "-c", "import httplib2"}, []string{debianPython, "-c", "import sys, httplib2; httplib2.Http().request(sys.argv[1])", site}},
		{"PHP stream", []string{"php", "-v"}, []string{"php", stream, site}},
		{"Python requests", []string{"python3", "-c", "import requests"}, []string{"python3", "-c", "import sys, requests; requests.get(sys.argv[1])", site}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			probe := exec.Command(tt.probe[0], tt.probe[1:]...)
			if err := probe.Run(); err != nil {
				t.Skip(err) // the end-to-end tests require the most important clients
			}
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			arrived.Store(0)
			var out strings.Builder
			code, err := Process{Args: tt.args, Env: list, Dir: tmp, Stdout: &out, Stderr: &out}.Run(ctx)
			if arrived.Load() == 0 {
				t.Errorf("no request arrived; exit %d, %v: %s", code, err, out.String())
			}
		})
	}
}
