/* What marks a symbol as part of plait's interface.
 * SPDX-License-Identifier: MIT
 */
#ifndef PLAIT_EXPORT_H
#define PLAIT_EXPORT_H

#ifdef __cplusplus
#    define PLAIT_BEGIN extern "C" {
#    define PLAIT_END   }
#else
#    define PLAIT_BEGIN
#    define PLAIT_END
#endif

#define PLAIT_API __attribute__((visibility("default")))

#endif
