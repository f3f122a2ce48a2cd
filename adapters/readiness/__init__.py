"""The compatibility checklist: what users do, done once with a real account of a CRM."""
