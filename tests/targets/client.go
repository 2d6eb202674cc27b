// Makes the requests of a plan with Go's net/http: client PLAN.json http1|http2 [parallel]. Prints the bytes it has read.
package main

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
)

type request struct {
	Method, URL string
	Body        *string
	Headers     map[string]string
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	file, err := os.ReadFile(os.Args[1])
	must(err)
	var plan []request
	must(json.Unmarshal(file, &plan))
	transport := &http.Transport{ForceAttemptHTTP2: os.Args[2] == "http2", TLSClientConfig: &tls.Config{}}
	if os.Args[2] == "http1" {
		transport.TLSNextProto = map[string]func(string, *tls.Conn) http.RoundTripper{}
	}
	client := &http.Client{Transport: transport}
	var total int64
	one := func(asked request) {
		var body io.Reader
		if asked.Body != nil {
			body = strings.NewReader(*asked.Body)
		}
		made, err := http.NewRequest(asked.Method, asked.URL, body)
		must(err)
		for name, value := range asked.Headers {
			made.Header.Set(name, value)
		}
		response, err := client.Do(made)
		must(err)
		read, err := io.Copy(io.Discard, response.Body)
		must(err)
		response.Body.Close()
		atomic.AddInt64(&total, read)
	}
	var all sync.WaitGroup
	for turn, asked := range plan {
		// The first opens the one connection of HTTP/2: else many would be opened, and all but one left unused.
		if len(os.Args) < 4 || turn == 0 && os.Args[2] == "http2" {
			one(asked)
			continue
		}
		all.Add(1)
		go func(asked request) {
			defer all.Done()
			one(asked)
		}(asked)
	}
	all.Wait()
	fmt.Println(total)
}
