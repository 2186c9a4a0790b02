using Dataflow.Cuda;
using Dataflow.Model;
using Dataflow.Planning;
using Dataflow.Training;

namespace Dataflow;

/// <summary>
/// Measures which algorithms of cuBLASLt are the fastest for the products of a plan, and stores the choices: what is stored already stays
/// as it is unless it is measured again, so that a run's bits change when somebody asks for it and not otherwise.
/// </summary>
/// <param name="File">Where they are stored; null: where runs look for them.</param>
/// <param name="Seconds">How long each candidate is run.</param>
/// <param name="Again">Whether products with a stored choice are measured, too.</param>
public sealed record ProductMeasurement(string? File, double Seconds, bool Again)
{
    /// <summary>Measures and stores.</summary>
    /// <param name="plan">Whose products are measured.</param>
    /// <param name="device">An NVIDIA GPU that nothing else uses.</param>
    /// <param name="tell">Told of each product, and what percentage is done.</param>
    /// <returns>The path, all that it holds, and how many of them were measured.</returns>
    /// <exception cref="UserErrorException">The device is no GPU, or the file cannot be used.</exception>
    public (string Path, ProductChoices Choices, int Measured) Run(TrainingPlan plan, DeviceOptions device, Action<string, int> tell)
    {
        if (device.Gpu is not { } gpu)
        {
            throw new UserErrorException(
                "tune measures the matrix products of an NVIDIA GPU, and this runs on the CPU; give --device cuda"
            );
        }

        if (CudaEmulation.IsOn && File is null)
        {
            throw new UserErrorException("the times of the emulated driver say nothing about a GPU; give --out with a file for them");
        }

        var known = ProductFiles.For(gpu);
        string path = File ?? ProductFiles.Default(known);
        if (System.IO.File.Exists(path))
        {
            known = ProductFiles.Read(path, known);
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
        using var file = AtomicFile.Create(path); // refused before anything is measured, not after it
        using var context = CudaContext.Open(gpu);
        using var tuning = new ProductTuning(context, Seconds);
        int count = 0;
        var all = tuning.Measure(known, plan.Schedule, plan.Workload, Again, (what, percent) =>
        {
            count++;
            tell(what, percent);
        });
        file.Write(System.Text.Encoding.UTF8.GetBytes(all.Write()));
        file.Commit();
        return (path, all, count);
    }
}
