namespace Dataflow.Cuda;

/// <summary>A native library of NVIDIA's, each loaded when a function of it is first called.</summary>
public enum CudaLibrary
{
    /// <summary>The driver API: everything that runs on a GPU.</summary>
    Driver,

    /// <summary>The run-time compiler: kernels whose shipped images do not match their sources.</summary>
    Nvrtc,

    /// <summary>Matrix products.</summary>
    CublasLt,

    /// <summary>Fused attention, optional.</summary>
    Cudnn,

    /// <summary>What the GPU's memory, clocks and power are, whoever uses it.</summary>
    Nvml,
}
