package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"sync"
)

// goProgram is built from matrix/go once.
var goProgram = sync.OnceValue(func() string {
	path := filepath.Join(built, "goclients")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Dir, build.Stderr = filepath.Join(testScripts, "go"), os.Stderr
	check(build.Run())
	return path
})

// inGo is a line for a client of matrix/go.
func inGo(name, version, function string, want outcome) client {
	return client{group: "Go", name: name, version: version, want: want, argv: []string{goProgramMark, function}}
}

// goProgramMark is replaced by the path of goProgram.
const goProgramMark = "goclients"

// goClients are libraries for Go.
var goClients = []client{
	inGo("net/http", "go version", "net/http", ok),
	inGo("net/http with an http.Transport without Proxy", "go version", "transport", bypass).because("`Proxy: http.ProxyFromEnvironment` makes it read the variables"),
	inGo("resty", "go:github.com/go-resty/resty/v2", "resty", ok),
	inGo("fasthttp", "go:github.com/valyala/fasthttp", "fasthttp", bypass).because("only with fasthttpproxy"),
	inGo("fasthttp with fasthttpproxy", "go:github.com/valyala/fasthttp", "fasthttpproxy", ok),
	inGo("gorilla/websocket", "go:github.com/gorilla/websocket", "gorilla", ok),
	inGo("grpc-go", "go:google.golang.org/grpc", "grpc", ok),
	inGo("go-github", "go:github.com/google/go-github/v75", "go-github", ok).with(onGitHub),
	inGo("go-openai", "go:github.com/sashabaranov/go-openai", "go-openai", ok).with(onOpenAI),
	inGo("AWS SDK, S3", "go:github.com/aws/aws-sdk-go-v2/service/s3", "aws-s3", ok).with(onAWS),
	inGo("AWS SDK with its user's http.Client", "go:github.com/aws/aws-sdk-go-v2/service/s3", "aws-s3-own-client", ok).with(onAWS),
	inGo("AWS SDK, Bedrock", "go:github.com/aws/aws-sdk-go-v2/service/bedrockruntime", "aws-bedrock", ok).with(onAWS),
	inGo("MCP SDK, streamable HTTP", "go:github.com/modelcontextprotocol/go-sdk", "mcp", ok),
}
