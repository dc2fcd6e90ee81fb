/* SPDX-License-Identifier: ISC */
/*
 * Counting records: fixed memory, whatever they hold. What only a worker says is
 * added up apart, and a sum that would overflow stays at its end.
 */
#ifndef SOCKWARD_HELPERS_AUDITOR_COUNTS_H
#define SOCKWARD_HELPERS_AUDITOR_COUNTS_H

#include "ipc/messages.h"

/**
 * counts_start() - all counts at zero, from now on.
 */
void counts_start(struct ipc_metrics *counts);

/**
 * counts_record() - count a record.
 * @record: of any event, with any numbers in it; each only once.
 */
void counts_record(struct ipc_metrics *counts, const struct ipc_record *record);

#endif
