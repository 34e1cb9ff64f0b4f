// Package bus is what the tray has of the desktop over D-Bus: an icon with a menu,
// notifications, and whether somebody is there.
//
//	org.kde.StatusNotifierItem        the icon; a panel shows it once it is registered with
//	                                  org.kde.StatusNotifierWatcher
//	com.canonical.dbusmenu            its menu
//	org.freedesktop.Notifications     notifications and their actions
//	org.freedesktop.ScreenSaver, org.gnome.Mutter.IdleMonitor, org.freedesktop.login1
//	                                  when the user did something last
//
// A bus is used if it is there, and never started: what looks for one that is not
// there starts daemons that nobody ends. What is missing is told as *Missing.
//
// Other programs of the user are on the same bus, some of them confined, and may
// call what is exported here or send signals of any name. A click on the menu
// can come from any of them, so nothing in it gives anything away to the caller. A
// signal about a notification counts only from who owns the name of the
// notification server, since its actions answer requests.
//
// Sources: the StatusNotifierItem and Desktop Notifications specifications of
// freedesktop.org, the interface file of libdbusmenu, org.freedesktop.login1(5).
package bus
