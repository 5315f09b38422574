// Command go makes one request with a client library for Go. Its argument is the name
// of the library.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/bedrockruntime"
	bedrock "github.com/aws/aws-sdk-go-v2/service/bedrockruntime/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/go-resty/resty/v2"
	"github.com/google/go-github/v75/github"
	"github.com/gorilla/websocket"
	"github.com/modelcontextprotocol/go-sdk/mcp"
	"github.com/sashabaranov/go-openai"
	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpproxy"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

const (
	host = "api.upstream.test"
	url  = "https://" + host + "/x"
)

var clients = map[string]func(context.Context) (string, error){
	"net/http":          netHTTP,
	"transport":         transport,
	"resty":             func(context.Context) (string, error) { r, err := resty.New().R().Get(url); return r.String(), err },
	"fasthttp":          func(context.Context) (string, error) { _, b, err := fasthttp.Get(nil, url); return string(b), err },
	"fasthttpproxy":     fastProxy,
	"gorilla":           gorilla,
	"grpc":              grpcCall,
	"go-github":         githubUser,
	"go-openai":         openaiChat,
	"aws-s3":            awsS3,
	"aws-s3-own-client": awsS3OwnClient,
	"aws-bedrock":       awsBedrock,
	"mcp":               mcpTools,
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	text, err := clients[os.Args[1]](ctx)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(text)
}

func read(response *http.Response, err error) (string, error) {
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	return string(b), err
}

func netHTTP(context.Context) (string, error) { return read(http.Get(url)) }

// transport does not have a Proxy function, so it ignores the variables.
func transport(context.Context) (string, error) {
	return read((&http.Client{Transport: &http.Transport{}}).Get(url))
}

func fastProxy(context.Context) (string, error) {
	c := fasthttp.Client{Dial: fasthttpproxy.FasthttpProxyHTTPDialer()}
	_, b, err := c.Get(nil, url)
	return string(b), err
}

func gorilla(ctx context.Context) (string, error) {
	c, _, err := websocket.DefaultDialer.DialContext(ctx, "wss://"+host+"/socket", nil)
	if err != nil {
		return "", err
	}
	defer c.Close()
	if err := c.WriteMessage(websocket.TextMessage, []byte("hello from the socket")); err != nil {
		return "", err
	}
	_, b, err := c.ReadMessage()
	return string(b), err
}

func grpcCall(ctx context.Context) (string, error) {
	c, err := grpc.NewClient(host+":443", grpc.WithTransportCredentials(credentials.NewTLS(nil)))
	if err != nil {
		return "", err
	}
	defer c.Close()
	out := new(wrapperspb.StringValue)
	err = c.Invoke(ctx, "/e2e.Echo/Unary", wrapperspb.String("hello from gRPC"), out)
	return out.Value, err
}

func githubUser(ctx context.Context) (string, error) {
	user, _, err := github.NewClient(nil).WithAuthToken(os.Getenv("GITHUB_TOKEN")).Users.Get(ctx, "")
	return user.GetLogin(), err
}

func openaiChat(ctx context.Context) (string, error) {
	r, err := openai.NewClient(os.Getenv("OPENAI_API_KEY")).CreateChatCompletion(ctx, openai.ChatCompletionRequest{Model: "m", Messages: []openai.ChatCompletionMessage{{Role: "user", Content: "hi"}}})
	if err != nil {
		return "", err
	}
	return r.Choices[0].Message.Content, nil
}

func buckets(ctx context.Context, c aws.Config, err error) (string, error) {
	if err != nil {
		return "", err
	}
	out, err := s3.NewFromConfig(c).ListBuckets(ctx, nil)
	if err != nil {
		return "", err
	}
	return strings.ReplaceAll(*out.Buckets[0].Name, "-", " "), nil
}

func awsS3(ctx context.Context) (string, error) {
	c, err := config.LoadDefaultConfig(ctx)
	return buckets(ctx, c, err)
}

// awsS3OwnClient brings an HTTP client of a kind that the SDK cannot give a CA bundle.
func awsS3OwnClient(ctx context.Context) (string, error) {
	c, err := config.LoadDefaultConfig(ctx, config.WithHTTPClient(&http.Client{}))
	return buckets(ctx, c, err)
}

func awsBedrock(ctx context.Context) (string, error) {
	c, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return "", err
	}
	out, err := bedrockruntime.NewFromConfig(c).Converse(ctx, &bedrockruntime.ConverseInput{ModelId: aws.String("m"), Messages: []bedrock.Message{{Role: bedrock.ConversationRoleUser, Content: []bedrock.ContentBlock{&bedrock.ContentBlockMemberText{Value: "hi"}}}}})
	if err != nil {
		return "", err
	}
	return out.Output.(*bedrock.ConverseOutputMemberMessage).Value.Content[0].(*bedrock.ContentBlockMemberText).Value, nil
}

func mcpTools(ctx context.Context) (string, error) {
	session, err := mcp.NewClient(&mcp.Implementation{Name: "e2e", Version: "1"}, nil).Connect(ctx, &mcp.StreamableClientTransport{Endpoint: "https://" + host + "/mcp"}, nil)
	if err != nil {
		return "", err
	}
	defer session.Close()
	tools, err := session.ListTools(ctx, nil)
	if err != nil {
		return "", err
	}
	return tools.Tools[0].Description, nil
}
