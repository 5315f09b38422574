package main

import (
	"crypto/tls"
	"crypto/x509"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
)

// Where only ALL_PROXY names a proxy, the proxy reaches services through it.
func TestServicesAreReachedThroughALLPROXY(t *testing.T) {
	b, service := newBench(t), startRecorder(t)
	b.run(threatKey, "login", "resend", "--key-stdin", "--no-verify")
	roots := filepath.Join(t.TempDir(), "service.pem")
	writeText(t, roots, string(service.authority.CertificatePEM()))
	b.more = []string{"ALL_PROXY=" + forwardProxy(t, service.addr)}
	_, proxy, admin := b.proxy("--upstream-ca", roots)
	_, pem := fetch(t, http.DefaultClient, "http://"+admin+"/ca.pem")
	trusted := x509.NewCertPool()
	trusted.AppendCertsFromPEM([]byte(pem))
	transport := &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), TLSClientConfig: &tls.Config{RootCAs: trusted}}
	defer transport.CloseIdleConnections()
	if _, body := fetch(t, &http.Client{Transport: transport, Timeout: limit}, "https://api.resend.com/"); body != "fine" {
		t.Errorf("answered %q", body)
	}
	if arrived := service.since(0); len(arrived) != 1 || arrived[0].Header.Get("Authorization") != connectionBearer {
		t.Errorf("the service received %v", arrived)
	}
}
