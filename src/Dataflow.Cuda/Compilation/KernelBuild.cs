using Dataflow.Model;

namespace Dataflow.Cuda;

/// <summary>How one file of kernels fared for one target.</summary>
/// <param name="Kernel">The file's name without ".cu".</param>
/// <param name="Target">What it was compiled for.</param>
/// <param name="Facts">Null where the compiler refused it.</param>
/// <param name="Fault">What the compiler said then.</param>
/// <param name="Warnings">What else it said; empty for kept images.</param>
/// <param name="WasKept">Whether an image of the same sources and compiler was there.</param>
public sealed record KernelBuildResult(
    string Kernel,
    KernelTarget Target,
    KernelImageFacts? Facts,
    string? Fault,
    string Warnings,
    bool WasKept
);

/// <summary>Compiles all kernels ahead of time; what has not changed is kept.</summary>
public static class KernelBuild
{
    /// <summary>Compiles every file of kernels for every target into the store, and removes images of files that are gone.</summary>
    /// <param name="sources">The files.</param>
    /// <param name="targets">What each is compiled for.</param>
    /// <param name="store">Where images are kept.</param>
    /// <param name="threads">Compilations at once.</param>
    /// <param name="progress">Told after each, with how many are done; on any thread.</param>
    /// <exception cref="MissingLibraryException">There is no NVRTC.</exception>
    /// <exception cref="MachineException">The store cannot be written.</exception>
    public static IReadOnlyList<KernelBuildResult> Run(
        KernelSources sources, IReadOnlyList<KernelTarget> targets, KernelStore store, int threads, Action<int>? progress = null)
    {
        string compiler = KernelCompiler.Version;
        (KernelSource Source, KernelTarget Target)[] jobs = [.. sources.All.SelectMany(s => targets.Select(t => (s, t)))];
        var results = new KernelBuildResult[jobs.Length];
        int done = 0;
        try
        {
            // The longest sources first, so that the last one running is a short one.
            int[] order = [.. Enumerable.Range(0, jobs.Length).OrderByDescending(i => jobs[i].Source.Text.Length)];
            _ = Parallel.ForEach(
                System.Collections.Concurrent.Partitioner.Create(order, loadBalance: true),
                new ParallelOptions { MaxDegreeOfParallelism = threads },
                i =>
                {
                    results[i] = One(jobs[i].Source, jobs[i].Target, store, compiler);
                    progress?.Invoke(Interlocked.Increment(ref done));
                }
            );
            store.Prune([.. sources.All.Select(s => s.Name)]);
        }
        catch (AggregateException e) when (e.InnerExceptions.OfType<MachineException>().FirstOrDefault() is { } machine)
        {
            throw machine;
        }
        catch (Exception e)
            when (e is IOException or UnauthorizedAccessException
                || (e as AggregateException)?.InnerExceptions.Any(x => x is IOException or UnauthorizedAccessException) == true
            )
        {
            throw new MachineException($"compiled kernels cannot be written to {store.Folder}: {e.GetBaseException().Message}");
        }

        return results;
    }

    private static KernelBuildResult One(KernelSource source, KernelTarget target, KernelStore store, string compiler)
    {
        if (store.Facts(source.Name, target) is { } known && known.Sources == source.Hash && known.Compiler == compiler)
        {
            return new KernelBuildResult(source.Name, target, known, null, "", WasKept: true);
        }

        var compiled = KernelCompiler.Compile(source, target);
        if (compiled.Fault is { } fault)
        {
            return new KernelBuildResult(source.Name, target, null, fault, "", WasKept: false);
        }

        var facts = new KernelImageFacts(source.Hash, compiler, compiled.EntryPoints);
        store.Write(source.Name, target, compiled.Image, facts);
        return new KernelBuildResult(source.Name, target, facts, null, compiled.Warnings, WasKept: false);
    }
}
