package e2e

var goClients, runtimeClients, agentClients []client

func nodeClients() []client { return nil }
