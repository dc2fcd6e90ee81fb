/* SPDX-License-Identifier: ISC */
/*
 * A policy file in the forms that the programs take: the broker's image and the
 * authenticator's text, made from one reading of the file, and the keys that it names.
 */
#ifndef SOCKWARD_CLI_POLICY_FILES_H
#define SOCKWARD_CLI_POLICY_FILES_H

struct policy_files {
	int image; /* what the broker reads */
	int text;  /* what the authenticator reads */
	int keys;  /* with it: struct key, one for each grant with "jwt" */
};

/**
 * policy_files_make() - read and compile a policy file, and read its key files.
 * @path: the file; at most JSON_SIZE bytes are taken.
 * @files: set on success; close with policy_files_close().
 *
 * Relative key files are beside the policy file. Errors go to standard error; those
 * of the policy as `sockward policy check` shows them.
 * Returns 0 or -1.
 */
int policy_files_make(const char *path, struct policy_files *files);

/**
 * policy_files_stage() - write the forms of a policy to files, for who starts the programs.
 * @path: the policy, as for policy_files_make().
 * @into: a directory that is there, and that nobody else may write to. It receives
 *        image, text, keys and options (AUDITOR_OPTIONS=, for EnvironmentFile=), each
 *        made with mode 0600 if it is not there, and written in its place if it is.
 *
 * Nothing changes unless the policy is sound. Errors go to standard error.
 * Returns 0 or -1.
 */
int policy_files_stage(const char *path, const char *into);

/**
 * policy_files_close() - close all descriptors.
 */
void policy_files_close(struct policy_files *files);

#endif
