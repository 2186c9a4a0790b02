using Dataflow.Model;

namespace Dataflow.Runtime;

/// <summary>
/// The kernels of the catalog on one device, in the order of one of its streams. A call may return before the kernel has run; kernels
/// of one stream run in order. Each kernel's function stands beside the record of its arguments (in Kernels), which says what each operand
/// is and which bytes are touched; a workspace holds what <see cref="KernelWorkspace"/> says of that kernel. Shapes and roundings are those
/// of <see cref="Kernel"/>: the same on every device.
/// </summary>
public partial interface IKernels
{
    /// <summary>Copies bytes between or within arenas.</summary>
    void Copy(nuint from, nuint to, Bytes length);

    /// <summary>Sets bytes to zero.</summary>
    void Zero(nuint at, Bytes length);
}
