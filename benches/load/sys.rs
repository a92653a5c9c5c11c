//! The Linux calls that the load clients make, declared by hand so that they build with a bare rustc (x86_64 and aarch64).
#![allow(non_camel_case_types)]
#[cfg_attr(target_arch = "x86_64", repr(C, packed))]
#[cfg_attr(not(target_arch = "x86_64"), repr(C))]
#[derive(Clone, Copy)]
pub struct epoll_event { pub events: u32, pub u64: u64 }
#[repr(C)]
pub struct timespec { pub s: i64, pub ns: i64 }
#[repr(C)]
pub struct sockaddr_in { pub fam: u16, pub port: u16, pub addr: u32, pub z: [u8; 8] }
extern "C" {
    pub fn epoll_create1(f: i32) -> i32;
    pub fn epoll_ctl(e: i32, op: i32, fd: i32, ev: *mut epoll_event) -> i32;
    pub fn epoll_pwait2(e: i32, ev: *mut epoll_event, n: i32, t: *const timespec, m: *const u8) -> i32;
    pub fn socket(d: i32, t: i32, p: i32) -> i32;
    pub fn connect(fd: i32, a: *const sockaddr_in, l: u32) -> i32;
    pub fn setsockopt(fd: i32, l: i32, o: i32, v: *const i32, n: u32) -> i32;
    pub fn recv(fd: i32, b: *mut u8, n: usize, f: i32) -> isize;
    pub fn send(fd: i32, b: *const u8, n: usize, f: i32) -> isize;
    pub fn close(fd: i32) -> i32;
    pub fn prctl(o: i32, a: u64, b: u64, c: u64, d: u64) -> i32;
}
