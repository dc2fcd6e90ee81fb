/* SPDX-License-Identifier: ISC */
/*
 * What a policy implies for the service manager: which addresses the broker's unit must let
 * through (IPAddressAllow= of systemd.resource-control(5)), in the kernel, behind the policy.
 */
#ifndef SOCKWARD_POLICY_UNITS_H
#define SOCKWARD_POLICY_UNITS_H

#include <stdio.h>

#include "policy/image.h"

/**
 * policy_units() - print the [Service] section of a drop-in for the broker's unit.
 * @policy: an opened image.
 * @file: the policy's name, for pointing at lines.
 * @out: where to; its errors are the caller's to look for.
 *
 * Where all rules that allow are by address, and ranges that clients may come from are that
 * always, the list is what these open and no more. Where one is by name, a name may lead to
 * any address that the unit's own list has, so that list stays, and only what other rules
 * open beyond it is added. In both cases no special-purpose block is let through that the
 * policy does not open, but for forms of addresses that are no range (ISATAP). A comment
 * tells for each rule what it needs; nothing of a rule can end that comment.
 */
void policy_units(const struct policy *policy, const char *file, FILE *out);

#endif
