using Dataflow.Model;

namespace Dataflow.Cuda.Kernels;

/// <summary>
/// Arithmetic of launch shapes. Each is a function of the tensors' shape alone, never of the GPU: results must not depend on it.
/// </summary>
internal static class Launches
{
    /// <summary>Threads of a warp.</summary>
    public const int Warp = 32;

    /// <summary>a / b, rounded up.</summary>
    public static long Up(long a, long b) => (a + b - 1) / b;

    /// <summary>As many threads as there is work for, in whole warps, within bounds.</summary>
    public static int Threads(long wanted, int least, int most) => (int)Math.Clamp(Up(wanted, Warp) * Warp, least, most);

    /// <summary>Elements in 16 bytes.</summary>
    public static int PackOf(DType type) => (int)(16 / type.Size());

    /// <summary>Whether rows of so many elements, one behind the other, all start on 16 bytes.</summary>
    public static bool IsAligned(DType type, long columns) => columns % PackOf(type) == 0;

    /// <summary>Elements of an access to rows of so many: those in 16 bytes, or one.</summary>
    public static int PackOf(DType type, long columns) => IsAligned(type, columns) ? PackOf(type) : 1;

    /// <summary>The address as the driver wants it.</summary>
    public static DevicePointer At(nuint address) => new(address);

    /// <summary>Element (0, 0).</summary>
    public static DevicePointer At(in Runtime.Tensor tensor) => new(tensor.Address);

    /// <summary>Element (0, 0), or no address.</summary>
    public static DevicePointer At(in Runtime.Tensor? tensor) => tensor is { } some ? At(some) : DevicePointer.Null;
}
