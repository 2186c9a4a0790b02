namespace Dataflow.Cuda.Interop;

/// <summary>CUresult: the values that this project tells apart; the driver may return others.</summary>
internal enum DriverStatus
{
    Success = 0,
    InvalidValue = 1,
    OutOfMemory = 2,
    NotInitialized = 3,
    Deinitialized = 4,
    StubLibrary = 34,
    NoDevice = 100,
    InvalidDevice = 101,
    InvalidImage = 200,
    InvalidContext = 201,
    NoBinaryForGpu = 209,
    EccUncorrectable = 214,
    InvalidPtx = 218,
    UnsupportedPtxVersion = 222,
    FileNotFound = 301,
    OperatingSystem = 304,
    InvalidHandle = 400,
    NotFound = 500,
    NotReady = 600,
    IllegalAddress = 700,
    LaunchOutOfResources = 701,
    PrimaryContextActive = 708,
    HostMemoryAlreadyRegistered = 712,
    HostMemoryNotRegistered = 713,
    MisalignedAddress = 716,
    LaunchFailed = 719,
    NotPermitted = 800,
    NotSupported = 801,
    SystemNotReady = 802,
    SystemDriverMismatch = 803,
    CompatibilityNotSupported = 804,
    Unknown = 999,
}

/// <summary>CUdevice_attribute.</summary>
internal enum DeviceAttribute
{
    MaxThreadsPerBlock = 1,
    MaxSharedMemoryPerBlock = 8,
    WarpSize = 10,
    ClockRateKilohertz = 13,
    MultiprocessorCount = 16,
    MemoryClockRateKilohertz = 36,
    MemoryBusBits = 37,
    L2CacheBytes = 38,
    MaxThreadsPerMultiprocessor = 39,
    AsyncEngineCount = 40,
    UnifiedAddressing = 41,
    ComputeCapabilityMajor = 75,
    ComputeCapabilityMinor = 76,
    MaxSharedMemoryPerMultiprocessor = 81,
    CanUseHostPointerForRegisteredMemory = 91,
    MaxSharedMemoryPerBlockOptIn = 97,
}

/// <summary>CUfunction_attribute.</summary>
internal enum FunctionAttribute
{
    MaxThreadsPerBlock = 0,
    StaticSharedBytes = 1,
    ConstantBytes = 2,
    LocalBytes = 3,
    Registers = 4,
    PtxVersion = 5,
    BinaryVersion = 6,
    MaxDynamicSharedBytes = 8,
    PreferredSharedMemoryCarveout = 9,
}

/// <summary>CUctx_flags: how a thread waits for the device.</summary>
public enum HostWait
{
    /// <summary>The driver chooses by the number of contexts and processors.</summary>
    Automatic = 0,

    /// <summary>Ready soonest; takes a core.</summary>
    Spin = 1,

    /// <summary>Spins, and lets other threads run.</summary>
    Yield = 2,

    /// <summary>Sleeps until the device interrupts.</summary>
    Block = 4,
}

/// <summary>CUstream_flags.</summary>
[Flags]
internal enum StreamFlags : uint
{
    Default = 0,
    NonBlocking = 1,
}

/// <summary>CUstreamCaptureMode: whom a capture forbids calls that may wait or allocate.</summary>
internal enum CaptureMode
{
    Global = 0,
    ThreadLocal = 1,
    Relaxed = 2,
}

/// <summary>CUevent_flags.</summary>
[Flags]
internal enum EventFlags : uint
{
    Default = 0,
    BlockingSync = 1,
    DisableTiming = 2,
}

/// <summary>CU_MEMHOSTALLOC_* and CU_MEMHOSTREGISTER_*.</summary>
[Flags]
internal enum PinFlags : uint
{
    None = 0,
    Portable = 1,
    DeviceMap = 2,
    WriteCombinedOrIoMemory = 4,
}

/// <summary>CUjit_option.</summary>
internal enum JitOption
{
    InfoLogBuffer = 3,
    InfoLogBufferSize = 4,
    ErrorLogBuffer = 5,
    ErrorLogBufferSize = 6,
}
