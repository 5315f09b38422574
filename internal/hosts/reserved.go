package hosts

import (
	"slices"
	"strings"
)

// reserved lists names that never get a credential. The first are names of the metadata
// services of clouds, which give credentials to any process: [metadata] has their
// addresses. They are general knowledge: nobody read the clouds' documentation. Each was
// looked up on 2026-11-29 in stored copies of public repositories. Programs there send
// requests to most of them, but metadata.goog, metadata.azure.com and
// metadata.azure.internal were found only in lists of names to refuse, and
// metadata.azure.us and metadata.azure.cn only as names in certificates.
var reserved = []string{
	"metadata", "metadata.google.internal", "metadata.goog", // GCP
	"instance-data", "instance-data.ec2.internal", // AWS; in other regions instance-data.REGION.compute.internal
	"metadata.azure.com", "metadata.azure.internal", "metadata.azure.us", "metadata.azure.cn", // Azure
	"metadata.tencentyun.com",                             // Tencent
	"metadata.platformequinix.com", "metadata.packet.net", // Equinix
	"api.metadata.cloud.ibm.com", // IBM
	"rancher-metadata",           // Rancher
	"authsome.invalid",           // the proxy's own pages; RFC 6761 section 6.4
}

// Reserved reports whether host is a name or an address that never gets a credential:
// of a metadata service, or of the proxy itself. Host has the spelling of [Normalize].
func Reserved(host string) bool {
	if kind, isAddress := KindOfHost(host); isAddress {
		return kind == Metadata
	}
	if strings.HasPrefix(host, "instance-data.") && strings.HasSuffix(host, ".compute.internal") {
		return true
	}
	for _, name := range reserved {
		if host == name || strings.HasSuffix(host, "."+name) {
			return true
		}
	}
	return false
}

// ReservedUnder returns a reserved name that a wildcard over suffix covers, or "".
func ReservedUnder(suffix string) string {
	if Reserved(suffix) {
		return suffix
	}
	for _, name := range slices.Concat(reserved, []string{"instance-data.region.compute.internal"}) {
		if strings.HasSuffix(name, "."+suffix) {
			return name
		}
	}
	if strings.HasSuffix(suffix, ".compute.internal") {
		return "instance-data." + suffix
	}
	return ""
}
