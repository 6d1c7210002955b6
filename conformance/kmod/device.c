// SPDX-License-Identifier: GPL-2.0
/*
 * /dev/rpmsg-kapi: a command is a write, its reply the read after it. Each open file has a reply of
 * its own, and a command runs in the task that writes it: one that sleeps stops nobody else, and
 * gets that task's signals.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "kapi.h"

struct kapi_file {
	struct mutex lock;
	size_t length; /* of the reply */
	char reply[KAPI_REPLY_MAX];
	char more[KAPI_REPLY_MAX - 128];
};

static int kapi_open(struct inode *inode, struct file *file)
{
	struct kapi_file *ours = kzalloc(sizeof(*ours), GFP_KERNEL);

	if (!ours)
		return -ENOMEM;
	mutex_init(&ours->lock);
	file->private_data = ours;
	return 0;
}

static int kapi_release(struct inode *inode, struct file *file)
{
	kfree(file->private_data);
	return 0;
}

static int run_line(struct kapi_file *ours, struct file *file, char *line)
{
	struct kapi_call call = {.file = file, .more = ours->more, .size = sizeof(ours->more)};
	int err;

	ours->length = 0;
	ours->more[0] = '\0';
	err = kapi_parse(&call, line);
	if (!err)
		err = kapi_run(&call);
	if (err)
		return err;
	ours->length = scnprintf(ours->reply, sizeof(ours->reply), "ret=%ld ns=%llu%s%s\n",
				 call.result, call.duration_ns, call.used ? " " : "", ours->more);
	return 0;
}

static ssize_t kapi_write(struct file *file, const char __user *text, size_t size, loff_t *offset)
{
	struct kapi_file *ours = file->private_data;
	char *line;
	int err;

	if (size >= KAPI_LINE_MAX)
		return -EMSGSIZE;
	line = memdup_user_nul(text, size);
	if (IS_ERR(line))
		return PTR_ERR(line);
	mutex_lock(&ours->lock);
	err = run_line(ours, file, line);
	mutex_unlock(&ours->lock);
	kfree(line);
	return err ? err : size;
}

static ssize_t kapi_read(struct file *file, char __user *to, size_t size, loff_t *offset)
{
	struct kapi_file *ours = file->private_data;
	ssize_t ret;

	mutex_lock(&ours->lock);
	ret = min(size, ours->length);
	if (copy_to_user(to, ours->reply, ret))
		ret = -EFAULT;
	else
		ours->length = 0;
	mutex_unlock(&ours->lock);
	return ret;
}

static const struct file_operations kapi_operations = {
	.owner = THIS_MODULE,
	.open = kapi_open,
	.release = kapi_release,
	.write = kapi_write,
	.read = kapi_read,
};

static struct miscdevice kapi_device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "rpmsg-kapi",
	.fops = &kapi_operations,
	.mode = 0600,
};

/**
 * kapi_device_register() - Makes the device. 0 or a negative errno.
 */
int kapi_device_register(void)
{
	return misc_register(&kapi_device);
}

/**
 * kapi_device_unregister() - Takes the device away. No file of it is open: each holds the module.
 */
void kapi_device_unregister(void)
{
	misc_deregister(&kapi_device);
}
