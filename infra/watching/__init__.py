"""Alarms, dashboards and queries of the application stack."""
