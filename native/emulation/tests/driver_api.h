// The driver's functions that tests call themselves.
#pragma once

#include <cstddef>
#include <cstdint>

typedef unsigned long long DeviceAddress;

extern "C"
{
    int cuInit(unsigned);
    int cuDeviceGetCount(int*);
    int cuDevicePrimaryCtxRetain(void**, int);
    int cuDevicePrimaryCtxRelease_v2(int);
    int cuCtxSetCurrent(void*);
    int cuCtxSynchronize();
    int cuMemGetInfo_v2(size_t*, size_t*);
    int cuMemAlloc_v2(DeviceAddress*, size_t);
    int cuMemFree_v2(DeviceAddress);
    int cuMemHostAlloc(void**, size_t, unsigned);
    int cuMemFreeHost(void*);
    int cuMemHostRegister_v2(void*, size_t, unsigned);
    int cuMemHostUnregister(void*);
    int cuMemcpyHtoDAsync_v2(DeviceAddress, const void*, size_t, void*);
    int cuMemcpyDtoHAsync_v2(void*, DeviceAddress, size_t, void*);
    int cuMemcpyDtoDAsync_v2(DeviceAddress, DeviceAddress, size_t, void*);
    int cuMemcpyHtoD_v2(DeviceAddress, const void*, size_t);
    int cuMemcpyDtoH_v2(void*, DeviceAddress, size_t);
    int cuMemsetD32Async(DeviceAddress, unsigned, size_t, void*);
    int cuMemsetD8Async(DeviceAddress, unsigned char, size_t, void*);
    int cuStreamCreateWithPriority(void**, unsigned, int);
    int cuStreamDestroy_v2(void*);
    int cuStreamSynchronize(void*);
    int cuStreamQuery(void*);
    int cuStreamWaitEvent(void*, void*, unsigned);
    int cuEventCreate(void**, unsigned);
    int cuEventRecord(void*, void*);
    int cuEventSynchronize(void*);
    int cuEventQuery(void*);
    int cuEventElapsedTime(float*, void*, void*);
    int cuEventDestroy_v2(void*);
    int cuModuleLoad(void**, const char*);
    int cuModuleLoadData(void**, const void*);
    int cuModuleGetFunction(void**, void*, const char*);
    int cuFuncSetAttribute(void*, int, int);
    int cuStreamBeginCapture_v2(void*, int);
    int cuStreamEndCapture(void*, void**);
    int cuGraphInstantiateWithFlags(void**, void*, unsigned long long);
    int cuGraphLaunch(void*, void*);
    int cuGraphExecDestroy(void*);
    int cuGraphDestroy(void*);
    int cuLaunchHostFunc(void*, void (*)(void*), void*);
    int nvmlInit_v2();
    int nvmlShutdown();
    int nvmlDeviceGetHandleByPciBusId_v2(const char*, void**);
    int nvmlDeviceGetMemoryInfo(void*, unsigned long long*);
    int nvmlDeviceGetComputeRunningProcesses_v3(void*, unsigned*, void*);
}

// A stream of its own, that does not follow the null stream.
class TestStream
{
public:
    TestStream() { cuStreamCreateWithPriority(&_stream, 1, 0); }
    ~TestStream() { cuStreamDestroy_v2(_stream); }
    TestStream(const TestStream&) = delete;
    TestStream& operator=(const TestStream&) = delete;
    operator void*() const { return _stream; }

private:
    void* _stream = nullptr;
};

class TestEvent
{
public:
    TestEvent() { cuEventCreate(&_event, 0); }
    ~TestEvent() { cuEventDestroy_v2(_event); }
    TestEvent(const TestEvent&) = delete;
    TestEvent& operator=(const TestEvent&) = delete;
    operator void*() const { return _event; }

private:
    void* _event = nullptr;
};
