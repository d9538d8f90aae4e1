// Package item knows what one article is across polls, nodes and restarts: its
// identity, its number, what a reader would see change, and so whether a draft
// is new, changed, withdrawn or nothing against what the item table holds.
//
// A draft is a messages.Event as an adapter read it: no id, no times of ours,
// a post, or an article whose change's action is ARTICLE_DELETED where the
// source withdrew it and unspecified everywhere else.
//
// The package is pure: it reads no table and offers nothing. Drafts are never
// changed; what it returns shares no article with them.
package item
