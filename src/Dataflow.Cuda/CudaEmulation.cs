using Dataflow.Cuda.Interop;
using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>Whether bytes are read, written or both.</summary>
[Flags]
public enum MemoryAccess
{
    /// <summary>Neither.</summary>
    None = 0,

    /// <summary>They are read.</summary>
    Read = 1,

    /// <summary>They are written.</summary>
    Write = 2,
}

/// <summary>A range of device memory that an op declares.</summary>
public readonly record struct DeclaredRange(DevicePointer Start, Bytes Length, MemoryAccess Access);

/// <summary>
/// What the emulated driver can do beyond the real one. With the real driver nothing here may be called but <see cref="LastError"/>.
/// </summary>
public static unsafe class CudaEmulation
{
    /// <summary>Whether the driver is the emulated one.</summary>
    public static bool IsOn => CudaLibraries.Emulation is not null;

    /// <summary>The first thing that it found wrong, in words; null where nothing, or where the driver is the real one.</summary>
    public static string? LastError() =>
        IsOn && NativeText.Read(EmulationApi.dataflowEmulationLastError()) is { Length: > 0 } text ? text : null;

    /// <summary>Forgets what it found and goes on: for tests that plant a fault.</summary>
    public static void ClearError()
    {
        Demand();
        EmulationApi.dataflowEmulationClearError();
    }

    /// <summary>Chooses among the orders that streams, warps and lanes may legally run in.</summary>
    public static void Seed(ulong seed)
    {
        Demand();
        EmulationApi.dataflowEmulationSeed(seed);
    }

    /// <summary>What is launched on a stream from now on may touch these ranges and nothing else.</summary>
    public static void Declare(CudaStream stream, params ReadOnlySpan<DeclaredRange> ranges)
    {
        Demand();
        fixed (EmulatedRange* declared = Native(ranges))
        {
            Accept(EmulationApi.dataflowEmulationDeclareRanges(stream, declared, ranges.Length), "declaring what a kernel touches");
        }
    }

    /// <summary>
    /// Appends the start of an op to a stream: what it reads, overwrites (<see cref="MemoryAccess.Write"/> alone) and updates. To conflict
    /// with what is not ordered before is a fault, whether or not a launch touches the very bytes; those that it overwrites are poisoned,
    /// and reading them before writing them is a fault. Lifts what was declared before; what follows on the stream is reported under the
    /// name.
    /// </summary>
    public static void Begin(CudaStream stream, string name, params ReadOnlySpan<DeclaredRange> ranges)
    {
        Demand();
        fixed (byte* text = NativeText.Of(name))
        fixed (EmulatedRange* declared = Native(ranges))
        {
            Accept(EmulationApi.dataflowEmulationBegin(stream, text, declared, ranges.Length), $"starting {name}");
        }
    }

    /// <summary>What is launched on a stream from now on may touch anything again.</summary>
    public static void DeclareNothing(CudaStream stream)
    {
        Demand();
        Accept(EmulationApi.dataflowEmulationDeclareRanges(stream, null, -1), "declaring nothing");
    }

    /// <summary>
    /// Appends to a stream that the bytes' tenant is gone: they are poisoned, and reading them before writing them is a fault.
    /// </summary>
    public static void Forget(CudaStream stream, DevicePointer start, Bytes length)
    {
        Demand();
        Accept(EmulationApi.dataflowEmulationForget(stream, start, (ulong)length.Value), "forgetting bytes of device memory");
    }

    /// <summary>The host reads or writes pinned memory by itself now: a copy that it has not waited for is a fault.</summary>
    public static void HostAccess(PinnedMemory memory, Bytes offset, Bytes length, MemoryAccess access)
    {
        Demand();
        Accept(EmulationApi.dataflowEmulationHostAccess(memory.At(offset), (ulong)length.Value, (int)access), "touching pinned memory");
    }

    /// <summary>Sets an option of native/emulation/README.md.</summary>
    public static void Set(string option, long value)
    {
        Demand();
        fixed (byte* name = NativeText.Of(option))
        {
            Accept(EmulationApi.dataflowEmulationSet(name, value), $"setting {option} of the emulation");
        }
    }

    /// <summary>A figure of native/emulation/README.md.</summary>
    public static long Get(string figure)
    {
        Demand();
        fixed (byte* name = NativeText.Of(figure))
        {
            return EmulationApi.dataflowEmulationGet(name) is var value and >= 0
                ? value
                : throw new ArgumentException($"the emulation has no figure {figure}", nameof(figure));
        }
    }

    private static EmulatedRange[] Native(ReadOnlySpan<DeclaredRange> ranges)
    {
        var native = new EmulatedRange[ranges.Length];
        for (int i = 0; i < native.Length; i++)
        {
            native[i] = new EmulatedRange
            {
                Address = ranges[i].Start.Address,
                Bytes = (ulong)ranges[i].Length.Value,
                Access = (uint)ranges[i].Access,
            };
        }

        return native;
    }

    private static void Demand()
    {
        if (!IsOn)
        {
            throw new InvalidOperationException("only the emulated driver can do this");
        }
    }

    private static void Accept(int status, string attempt)
    {
        if (status != 0)
        {
            throw new CudaException($"{attempt} failed: {LastError() ?? "the emulation refuses it"}", "DATAFLOW_EMULATION");
        }
    }
}
