/* SPDX-License-Identifier: ISC */
/*
 * A policy file in the two forms that the programs take: the broker's image and
 * the authenticator's text, both made from one reading of the file.
 */
#ifndef SOCKWARD_CLI_POLICY_FILES_H
#define SOCKWARD_CLI_POLICY_FILES_H

struct policy_files {
	int image; /* what the broker reads */
	int text;  /* what the authenticator reads */
};

/**
 * policy_files_make() - read and compile a policy file.
 * @path: the file; at most JSON_SIZE bytes are taken.
 * @files: set on success; close with policy_files_close().
 *
 * Errors go to standard error as `sockward policy check` shows them.
 * Returns 0 or -1.
 */
int policy_files_make(const char *path, struct policy_files *files);

/**
 * policy_files_close() - close both descriptors.
 */
void policy_files_close(struct policy_files *files);

#endif
