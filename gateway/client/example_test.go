package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"

	"github.com/birdwire/birdwire/gateway/client"
)

// A rule is made, and what it matches from then on is printed.
func ExampleClient_Twitter() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c, err := client.New(client.Config{URL: "http://localhost:8000", Key: os.Getenv("BIRDWIRE_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	tag, query := "bitcoin-mentions", "bitcoin -is:retweet lang:en"
	if _, err := c.CreateRule(ctx, client.RuleChange{Tag: &tag, Query: &query}); err != nil && !errors.Is(err, client.ErrConflict) {
		log.Fatal(err)
	}
	stream, err := c.Twitter(ctx, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	for m, err := range stream.All() {
		if err != nil {
			log.Fatal(err)
		}
		if tweet, ok := m.Event.(*client.Tweet); ok {
			fmt.Printf("@%s: %s\n", tweet.AuthorUsername, tweet.TweetText)
		}
	}
}

// A consumer that must miss nothing keeps the cursor of what it has handled.
func ExampleClient_Newsrank_resume() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: "https://birdwire.example", Key: os.Getenv("BIRDWIRE_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	cursor := "new"
	if kept, err := os.ReadFile("cursor"); err == nil {
		cursor = string(kept)
	}
	stream, err := c.Newsrank(ctx, client.Options{Resume: cursor})
	if err != nil {
		log.Fatal(err)
	}
	if err := stream.Subscribe(ctx, client.NewsrankFilters{Topics: []string{"articles"}, Keywords: []string{"interest rates"}}); err != nil {
		log.Fatal(err)
	}
	for m, err := range stream.All() {
		if err != nil {
			log.Fatal(err)
		}
		if item, ok := m.Event.(*client.Item); ok {
			fmt.Println(item.Data.Title, item.Data.URL)
		}
		if m.Cursor != "" {
			if err := os.WriteFile("cursor", []byte(m.Cursor), 0o600); err != nil {
				log.Fatal(err)
			}
		}
	}
}

func ExampleClient_Kite() {
	ctx := context.Background()
	c, err := client.New(client.Config{URL: "http://localhost:8000", Key: os.Getenv("BIRDWIRE_KEY")})
	if err != nil {
		log.Fatal(err)
	}
	stream, err := c.Kite(ctx, client.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if err := stream.Subscribe(ctx, client.KiteFilters{Categories: []string{"central_banks"}}); err != nil {
		log.Fatal(err)
	}
	for m, err := range stream.All() {
		if err != nil {
			log.Fatal(err)
		}
		if news, ok := m.Event.(*client.News); ok {
			fmt.Printf("[%s] %s: %s\n", news.Action, news.Item.Source, news.Item.Title)
		}
	}
}

// A refusal says what to do, and when.
func ExampleError() {
	err := error(&client.Error{Status: 429, Short: "too_many_connections", Detail: "as many connections as the plan allows are open"})
	fmt.Println(errors.Is(err, client.ErrTooMany), err)
	// Output: true as many connections as the plan allows are open (status 429)
}
