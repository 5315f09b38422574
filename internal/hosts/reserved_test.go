package hosts_test

import (
	"testing"

	"github.com/authsome/authsome/internal/hosts"
)

func TestReserved(t *testing.T) {
	for host, want := range map[string]bool{
		"metadata.google.internal": true, "metadata.goog": true, "metadata": true, "x.metadata.goog": true, "instance-data.ec2.internal": true,
		"instance-data.us-west-2.compute.internal": true, "metadata.tencentyun.com": true, "169.254.169.254": true, "fd00:ec2::254": true,
		"proxy.authsome.invalid": true, "authsome.invalid": true,
		"google.internal": false, "xmetadata.goog": false, "ip-10-0-0-1.us-west-2.compute.internal": false, "example.invalid": false, "10.0.0.1": false, "metadata.example.com": false,
	} {
		if got := hosts.Reserved(host); got != want {
			t.Errorf("Reserved(%s) = %v", host, got)
		}
	}
}

func TestReservedUnder(t *testing.T) {
	for suffix, want := range map[string]string{
		"google.internal": "metadata.google.internal", "metadata.goog": "metadata.goog", "ec2.internal": "instance-data.ec2.internal",
		"us-west-2.compute.internal": "instance-data.us-west-2.compute.internal", "invalid": "authsome.invalid", "authsome.invalid": "authsome.invalid",
		"example.com": "", "oogle.internal": "",
	} {
		if got := hosts.ReservedUnder(suffix); got != want {
			t.Errorf("ReservedUnder(%s) = %q, want %q", suffix, got, want)
		}
	}
}
