/* SPDX-License-Identifier: MIT */
/* test_list.c - uhmm/list.h */
#include <uhmm/list.h>

#include "unit.h"

struct item {
	int number;
	struct uhmm_list node;
};

/* The items of @list as digits of a number: 3, 1, 2 is 312. */
static int digits(const struct uhmm_list *list)
{
	const struct uhmm_list *node;
	int number = 0;

	UHMM_LIST_EACH(node, list)
		number = number * 10 +
			 UHMM_CONTAINER_OF(node, struct item, node)->number;
	return number;
}

START_TEST(test_list_init_is_empty)
{
	struct uhmm_list list;

	uhmm_list_init(&list);
	ck_assert(uhmm_list_is_empty(&list));
	ck_assert_ptr_null(uhmm_list_pop(&list));
	ck_assert_int_eq(digits(&list), 0);
}
END_TEST

START_TEST(test_list_add_keeps_order)
{
	struct item a = { .number = 1 }, b = { .number = 2 },
		    c = { .number = 3 }, d = { .number = 4 };
	struct uhmm_list list;

	uhmm_list_init(&list);
	uhmm_list_add_tail(&list, &a.node);
	uhmm_list_add_tail(&list, &b.node);
	uhmm_list_add_head(&list, &c.node);
	uhmm_list_add_before(&b.node, &d.node);
	ck_assert_int_eq(digits(&list), 3142);
}
END_TEST

START_TEST(test_list_del_leaves_the_others)
{
	struct item a = { .number = 1 }, b = { .number = 2 },
		    c = { .number = 3 };
	struct uhmm_list list;

	uhmm_list_init(&list);
	uhmm_list_add_tail(&list, &a.node);
	uhmm_list_add_tail(&list, &b.node);
	uhmm_list_add_tail(&list, &c.node);
	uhmm_list_del(&b.node);
	ck_assert_int_eq(digits(&list), 13);
	ck_assert(uhmm_list_is_empty(&b.node));
	uhmm_list_del(&b.node);
	ck_assert_int_eq(digits(&list), 13);
}
END_TEST

START_TEST(test_list_pop_is_first_in_first_out)
{
	struct item item[3] = { { .number = 1 }, { .number = 2 },
				{ .number = 3 } };
	struct uhmm_list list;

	uhmm_list_init(&list);
	for (int i = 0; i < 3; i++)
		uhmm_list_add_tail(&list, &item[i].node);
	for (int i = 0; i < 3; i++)
		ck_assert_ptr_eq(uhmm_list_pop(&list), &item[i].node);
	ck_assert(uhmm_list_is_empty(&list));
}
END_TEST

START_TEST(test_list_each_safe_lets_delete)
{
	struct item item[4] = { { .number = 1 }, { .number = 2 },
				{ .number = 3 }, { .number = 4 } };
	struct uhmm_list list, *node, *after;

	uhmm_list_init(&list);
	for (int i = 0; i < 4; i++)
		uhmm_list_add_tail(&list, &item[i].node);
	UHMM_LIST_EACH_SAFE(node, after, &list)
		if (UHMM_CONTAINER_OF(node, struct item, node)->number % 2)
			uhmm_list_del(node);
	ck_assert_int_eq(digits(&list), 24);
}
END_TEST

UNIT_MAIN("list", UNIT_TEST(test_list_init_is_empty),
	  UNIT_TEST(test_list_add_keeps_order),
	  UNIT_TEST(test_list_del_leaves_the_others),
	  UNIT_TEST(test_list_pop_is_first_in_first_out),
	  UNIT_TEST(test_list_each_safe_lets_delete))
