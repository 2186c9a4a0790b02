using System.Reflection.Metadata;
using System.Reflection.PortableExecutable;

namespace Dataflow.Architecture.Tests;

public class LayerTests
{
    private static string Forbidden(Project from, string to) =>
        $"{from.Name} -> {to} (allowed: {string.Join(", ", Layers.Allowed[from.Name].DefaultIfEmpty("none"))})";

    private static bool Allows(Project from, string to) => Layers.Allowed[from.Name].Contains(to);

    private static IEnumerable<Project> KnownProjects => Repository.Projects.Where(p => Layers.Allowed.ContainsKey(p.Name));

    [Fact]
    public void Every_project_is_in_the_table_and_the_solution_and_has_a_readme()
    {
        var solution = Repository.Text("Dataflow.sln").Replace('\\', '/');
        string[] elsewhere = ["tests/", "bench/"];
        var others = Repository.Files.Where(f =>
            elsewhere.Any(folder => f.StartsWith(folder, StringComparison.Ordinal)) && f.EndsWith(".csproj", StringComparison.Ordinal)
        );
        var faults = new List<string>();
        foreach (var project in Repository.Projects)
        {
            if (!Layers.Allowed.ContainsKey(project.Name))
            {
                faults.Add($"{project.Path}: not in the table of Layers.cs");
            }

            if (!Repository.Exists($"{project.Folder}/README.md"))
            {
                faults.Add($"{project.Folder}/README.md is missing");
            }
        }

        faults.AddRange(Repository.Projects.Select(p => p.Path).Concat(others)
            .Where(path => !solution.Contains($"\"{path}\"", StringComparison.Ordinal))
            .Select(path => $"{path}: not in Dataflow.sln"));
        Report.None("A project is listed in Layers.cs and Dataflow.sln and explained by its README.md:", faults);
    }

    [Fact]
    public void Project_files_refer_only_to_lower_layers() => Report.None(
        "Forbidden project references:",
        KnownProjects.SelectMany(p => p.References.Where(r => !Allows(p, r)).Select(r => Forbidden(p, r))));

    [Fact]
    public void Compiled_assemblies_refer_only_to_lower_layers()
    {
        var byAssembly = Repository.Projects.ToDictionary(p => p.Assembly, p => p.Name);
        Report.None(
            "Forbidden references in compiled assemblies:",
            KnownProjects.SelectMany(p => AssemblyReferences(p)
                .Where(byAssembly.ContainsKey)
                .Select(assembly => byAssembly[assembly])
                .Where(r => !Allows(p, r))
                .Select(r => Forbidden(p, r))));
    }

    [Fact]
    public void Every_project_reaches_the_programs() => Report.None(
        "Compiled by neither program (refer to it from Dataflow):",
        Repository.Projects.Where(p => !File.Exists(p.AssemblyPath)).Select(p => p.Name));

    private static string[] AssemblyReferences(Project project)
    {
        if (!File.Exists(project.AssemblyPath))
        {
            return []; // Every_project_reaches_the_programs says so
        }

        using var file = new PEReader(File.OpenRead(project.AssemblyPath));
        var metadata = file.GetMetadataReader();
        return [.. metadata.AssemblyReferences.Select(r => metadata.GetString(metadata.GetAssemblyReference(r).Name))];
    }
}
